package import Secret

/// One message with its envelope, complete in itself.
package struct Mail: Sendable {
    /// The bare address that bounces go to, such as `alerts@example.com`.
    package var sender: String
    /// Bare addresses, at least one.
    package var recipients: [String]
    /// Headers and body; every line ends in CRLF.
    package var message: [UInt8]

    package init(sender: String, recipients: [String], message: [UInt8]) {
        self.sender = sender
        self.recipients = recipients
        self.message = message
    }
}

/// A mail server that takes messages for others, and how it is entered.
package struct MailServer: Sendable {
    /// `smtp://host[:port]` or `smtps://host[:port]`.
    package let url: String
    /// nil for a server that takes mail from anybody it sees.
    package let login: Login?
    let host: URLHost

    /// - Throws: `MailFailure` for any other kind of address.
    package init(url: String, login: Login? = nil) throws(MailFailure) {
        do { host = try URLHost(url, schemes: ["smtps://", "smtp://"]) } catch {
            throw MailFailure(.invalidMail, message: error.message)
        }
        let isBare = url.drop { $0 != ":" }.dropFirst(3).allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || ".:-[]".contains($0))
        }
        guard isBare else {
            throw MailFailure(.invalidMail, message: "the address of a mail server is scheme, host and port alone")
        }
        self.url = url
        self.login = login
    }

    package struct Login: Sendable {
        package let user: String
        package let password: Secret

        package init(user: String, password: Secret) {
            self.user = user
            self.password = password
        }
    }

    var isTLSFromTheStart: Bool { url.lowercased().hasPrefix("smtps://") }

    /// In clear text only to this machine, and never with a password.
    var mayBePlain: Bool { host.isLoopback && login == nil }
}

/// What a mail server made of a message that it took.
package struct MailReceipt: Hashable, Sendable {
    /// To the message.
    package let reply: SMTPReply
    /// Recipients that were refused, by their number in `Mail.recipients`; the others have it.
    package let refused: [Int: SMTPReply]

    package init(reply: SMTPReply, refused: [Int: SMTPReply] = [:]) {
        self.reply = reply
        self.refused = refused
    }
}

/// What a mail server said to one command.
package struct SMTPReply: Hashable, Sendable, CustomStringConvertible {
    /// Such as 250 or 550.
    package let code: Int
    /// Its lines in one, without addresses and secrets.
    package let text: String

    package init(code: Int, text: String) {
        self.code = code
        self.text = text
    }

    package var isAcceptance: Bool { (200..<300).contains(code) }
    package var isRefusal: Bool { code >= 400 }
    /// 4yz: the same may be taken later.
    package var isTemporary: Bool { (400..<500).contains(code) }
    package var description: String { text.isEmpty ? "\(code)" : "\(code) \(text)" }
}

/// Hands one message to a server. libcurl in programs, a script in tests.
package protocol MailTransport: Sendable {
    /// - Throws: `MailFailure` unless the server took the message for at least one recipient.
    func send(_ mail: Mail, to server: MailServer) async throws(MailFailure) -> MailReceipt
}
