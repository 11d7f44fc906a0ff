import FoundationEssentials
import Secret

/// What may go into a mail, and what of a server's words may come out.
enum MailRules {
    /// Bytes of a line without its CRLF (RFC 5322, 2.1.1).
    private static let lineLimit = 998
    /// Bytes of an address (RFC 5321, 4.5.3.1.3).
    private static let addressLimit = 254

    /// - Throws: `MailFailure` for an address that could smuggle in a command, and for lines that a server could take for
    ///   something else.
    static func check(_ mail: Mail) throws(MailFailure) {
        guard isAddress(mail.sender) else { throw MailFailure(.invalidMail, message: "the sender is no address") }
        guard !mail.recipients.isEmpty else { throw MailFailure(.invalidMail, message: "a mail needs a recipient") }
        if let number = mail.recipients.firstIndex(where: { !isAddress($0) }) {
            throw MailFailure(.invalidMail, message: "recipient \(number + 1) is no address")
        }
        guard mail.message.suffix(2) == [13, 10], linesAreWhole(mail.message) else {
            throw MailFailure(
                .invalidMail, message: "each line of a message has at most \(lineLimit) bytes and ends in CRLF")
        }
    }

    private static func isAddress(_ text: String) -> Bool {
        let isPlain = text.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">")
        }
        return isPlain && text.utf8.count <= addressLimit && text.split(separator: "@").count == 2
    }

    private static func linesAreWhole(_ message: [UInt8]) -> Bool {
        var length = 0
        var previous: UInt8 = 0
        for byte in message {
            if (byte == 10) != (previous == 13) { return false }
            length = byte == 10 ? 0 : length + 1
            if length > lineLimit + 1 { return false }
            previous = byte
        }
        return true
    }

    /// A server's words without addresses, and without the password should it repeat it.
    static func redacted(_ text: String, login: MailServer.Login?) -> String {
        var text = text
        for secret in login.map(spellings) ?? [] where !secret.isEmpty {
            text = text.replacing(secret, with: "‹secret›")
        }
        return text.split(separator: " ").map { $0.contains("@") ? "‹address›" : String($0) }.joined(separator: " ")
    }

    /// As a login sends it: bare, and in the base64 of LOGIN and PLAIN.
    private static func spellings(of login: MailServer.Login) -> [String] {
        let password = login.password.withUTF8 { String(decoding: $0, as: UTF8.self) }
        return [password, base64(password), base64("\0\(login.user)\0\(password)")]
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
