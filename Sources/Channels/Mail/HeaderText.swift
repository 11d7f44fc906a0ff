import FoundationEssentials

/// Values of headers in ASCII: what is more goes in encoded words (RFC 2047), and no line break of the value survives.
enum HeaderText {
    /// Bytes of UTF-8 in one encoded word: with `=?UTF-8?B?…?=` around their base64 and the longest header name before
    /// it, a line stays under 76 characters.
    private static let wordBytes = 39
    /// Characters of a value that stays as it is.
    private static let lineLimit = 60

    static func unstructured(_ text: String) -> String {
        let line = oneLine(text)
        return isPlain(line) && line.utf8.count <= lineLimit ? line : encoded(line)
    }

    static func mailbox(_ mailbox: MailAddress) -> String {
        guard let name = mailbox.name.map(oneLine), !name.isEmpty else { return mailbox.address }
        let isAtoms = name.utf8.allSatisfy { atom.contains($0) || $0 == 0x20 } && name.utf8.count <= lineLimit
        return "\(isAtoms ? name : encoded(name)) <\(mailbox.address)>"
    }

    /// What needs no quotes in a name (RFC 5322, 3.2.3).
    private static let atom = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~".utf8)

    private static func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
            .split(separator: " ").joined(separator: " ")
    }

    private static func isPlain(_ line: String) -> Bool {
        line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !line.contains("=?")
    }

    /// A character is never divided between two words.
    private static func encoded(_ line: String) -> String {
        var words: [[UInt8]] = []
        for character in line.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if let last = words.last, last.count + bytes.count <= wordBytes {
                words[words.count - 1] += bytes
            } else {
                words.append(bytes)
            }
        }
        return words.map { "=?UTF-8?B?\(Data($0).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }
}
