/// One SMTP conversation (RFC 5321), line by line. Pure: whoever holds the connection asks whether something is to go wrong
/// before a step counts.
struct MailSession {
    /// Where a fault can meet a delivery; its path is `/smtp/` and this word.
    enum Moment: String {
        case connect, hello, mail, rcpt, data, end
        var path: String { "/smtp/" + rawValue }
    }

    /// What the server answers to a line, and what becomes of the conversation if it does.
    struct Step {
        let moment: Moment?
        let reply: String
        let change: Change

        init(_ reply: String, _ change: Change = .none, at moment: Moment? = nil) {
            self.reply = reply
            self.change = change
            self.moment = moment
        }
    }

    enum Change: Equatable {
        case none
        case hello
        case sender(String)
        case recipient(String)
        case beginData
        case complete(MailEnvelope)
        case reset
        case quit
    }

    static let greeting = "220 sandbox.invalid ESMTP, for loopback only"
    /// Bytes of a message, as `SIZE` tells.
    static let messageBytes = 10 << 20
    /// Bytes of a command without its line end.
    static let commandBytes = 1_000
    static let mostRecipients = 100

    private var hasGreeted = false
    private var sender: String?
    private var recipients: [String] = []
    /// nil while commands are read.
    private var data: [UInt8]?
    private var isTooLong = false

    /// - Parameter line: without its CR LF.
    /// - Returns: nil while a message goes on.
    mutating func take(_ line: some Collection<UInt8>) -> Step? {
        guard data != nil else { return command(line) }
        if line.count == 1, line.first == UInt8(ascii: ".") { return endOfData() }
        // A dot in front of a line that begins with one was put there by the sender.
        let text = line.first == UInt8(ascii: ".") ? line.dropFirst() : line[...]
        isTooLong = isTooLong || (data?.count ?? 0) + text.count + 2 > Self.messageBytes
        if !isTooLong { data?.append(contentsOf: text + [13, 10]) }
        return nil
    }

    mutating func apply(_ change: Change) {
        switch change {
        case .none, .quit: break
        case .hello:
            hasGreeted = true
            apply(.reset)
        case .sender(let address): sender = address
        case .recipient(let address): recipients.append(address)
        case .beginData: data = []
        case .complete, .reset: (sender, recipients, data, isTooLong) = (nil, [], nil, false)
        }
    }

    private func endOfData() -> Step {
        if isTooLong { return Step("552 5.3.4 Message too big", .reset, at: .end) }
        let envelope = MailEnvelope(from: sender ?? "", to: recipients, bytes: data ?? [])
        return Step("250 2.0.0 Ok: kept", .complete(envelope), at: .end)
    }

    private func command(_ line: some Collection<UInt8>) -> Step {
        guard line.count <= Self.commandBytes else { return Step("500 5.5.6 Line too long") }
        let text = String(decoding: line, as: UTF8.self)
        let word = text.prefix { $0 != " " }.uppercased()
        let rest = text.dropFirst(word.count).drop { $0 == " " }
        switch word {
        case "EHLO":
            let extensions = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE \(Self.messageBytes)"]
            let lines = ["sandbox.invalid"] + extensions
            let reply = lines.dropLast().map { "250-\($0)\r\n" }.joined() + "250 " + (lines.last ?? "")
            return Step(reply, .hello, at: .hello)
        case "HELO": return Step("250 sandbox.invalid", .hello, at: .hello)
        case "MAIL": return mail(rest)
        case "RCPT": return rcpt(rest)
        case "DATA": return beginData()
        case "RSET": return Step("250 2.0.0 Ok", .reset)
        case "NOOP": return Step("250 2.0.0 Ok")
        case "VRFY": return Step("252 2.5.2 Send it and see")
        case "QUIT": return Step("221 2.0.0 Bye", .quit)
        default: return Step("502 5.5.1 Command not implemented")
        }
    }

    private func mail(_ rest: Substring) -> Step {
        guard hasGreeted else { return Step("503 5.5.1 EHLO first") }
        guard sender == nil else { return Step("503 5.5.1 One sender at a time") }
        guard let (address, parameters) = Self.path(in: rest, after: "FROM:") else {
            return Step("501 5.5.4 MAIL FROM:<address>")
        }
        let size = parameters.first { $0.hasPrefix("SIZE=") }.flatMap { Int($0.dropFirst(5)) } ?? 0
        guard size <= Self.messageBytes else { return Step("552 5.3.4 Message too big") }
        return Step("250 2.1.0 Ok", .sender(address), at: .mail)
    }

    private func rcpt(_ rest: Substring) -> Step {
        guard sender != nil else { return Step("503 5.5.1 MAIL first") }
        guard let (address, _) = Self.path(in: rest, after: "TO:"), !address.isEmpty else {
            return Step("501 5.5.4 RCPT TO:<address>")
        }
        guard recipients.count < Self.mostRecipients else { return Step("452 4.5.3 Too many recipients") }
        return Step("250 2.1.5 Ok", .recipient(address), at: .rcpt)
    }

    private func beginData() -> Step {
        guard !recipients.isEmpty else { return Step("503 5.5.1 RCPT first") }
        return Step("354 End with a line that is only a dot", .beginData, at: .data)
    }

    /// The address between the angle brackets, and the words behind it in capitals.
    private static func path(in text: Substring, after word: String) -> (String, [String])? {
        guard text.uppercased().hasPrefix(word) else { return nil }
        let rest = text.dropFirst(word.count).drop { $0 == " " }
        guard rest.first == "<", let end = rest.firstIndex(of: ">") else { return nil }
        let parameters = rest[rest.index(after: end)...].split(separator: " ").map { $0.uppercased() }
        return (String(rest[rest.index(after: rest.startIndex)..<end]), parameters)
    }
}

/// A message as it was handed over.
struct MailEnvelope: Equatable {
    let from: String
    let to: [String]
    /// With the dots as they were before they were sent, lines end in CR LF.
    let bytes: [UInt8]
}
