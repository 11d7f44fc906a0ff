package import Notices

/// A mailbox: `ada@example.com` or `Ada <ada@example.com>`.
package struct MailAddress: Hashable, Sendable {
    /// nil where there is none.
    package let name: String?
    /// Printable ASCII with one `@`.
    package let address: String

    /// nil for anything else, such as an address that could end a header or a command.
    package init?(_ text: String) {
        var bare = Substring(text)
        var name = ""
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            name = String(text[..<open].split(separator: " ").joined(separator: " "))
            if name.count > 1, name.hasPrefix("\""), name.hasSuffix("\"") { name = String(name.dropFirst().dropLast()) }
            bare = text[text.index(after: open)...].dropLast()
        }
        let parts = bare.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), bare.utf8.count <= 254,
            bare.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.specials.contains($0) }),
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else { return nil }
        self.name = name.isEmpty ? nil : name
        address = String(bare)
    }

    /// What would have to be quoted in an address (RFC 5322, 3.2.3); nobody's address has it.
    private static let specials = Set("()<>[]:;\\,\"".utf8)

    package var domain: Substring { address[address.firstIndex(of: "@")!...].dropFirst() }

    /// As JSON holds it: nothing is encoded.
    var display: String { name.map { "\($0) <\(address)>" } ?? address }

    init(_ fields: ChannelSecret.Fields, _ field: String) throws(ChannelProblem) {
        guard let address = MailAddress(try fields.text(field)) else {
            throw ChannelProblem(.malformed, "has a \(field) that is no mail address")
        }
        self = address
    }
}

/// Who reads a channel's mail, and in what.
package struct MailRecipient: Hashable, Sendable {
    package let address: MailAddress
    package let language: NoticeLanguage

    /// What Resend takes in one message; nobody looks after alerts with more.
    package static let limit = 50

    static func all(_ fields: ChannelSecret.Fields) throws(ChannelProblem) -> [MailRecipient] {
        let entries = try fields.objects("to")
        guard entries.count <= limit else {
            throw ChannelProblem(.tooManyRecipients, "has more than \(limit) recipients")
        }
        var recipients: [MailRecipient] = []
        for entry in entries {
            recipients.append(
                MailRecipient(
                    address: try MailAddress(entry, "address"), language: try entry.language("language")))
        }
        return recipients
    }
}
