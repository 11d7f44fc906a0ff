import JSON
import Secret

/// Makes the other side's words fit for events and logs: without the channel's secrets, without addresses, short.
struct Redaction: Sendable {
    private let secrets: [Secret]

    /// Characters of the other side's words that are kept.
    private static let textLimit = 200

    init(_ secrets: Secret...) { self.secrets = secrets }

    func callAsFunction(_ words: some Sequence<UInt8>) -> String { self(String(decoding: Array(words), as: UTF8.self)) }

    func callAsFunction(_ words: String) -> String {
        var text = words
        for secret in secrets.flatMap(Self.spellings) { text = text.replacing(secret, with: "‹secret›") }
        // By scalars: one that is hidden may stand in one character with a letter.
        let seen = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isHidden ? " " : $0 }))
        let printable = seen.split(whereSeparator: \.isWhitespace)
        let bare = printable.map { $0.contains("@") ? "‹address›" : String($0) }.joined(separator: " ")
        return bare.count > Self.textLimit ? String(bare.prefix(Self.textLimit)) + "…" : bare
    }

    /// The whole and, of a path, the parts that are long enough to be secret.
    private static func spellings(of secret: Secret) -> [String] {
        let whole = secret.withUTF8 { String(decoding: $0, as: UTF8.self) }
        let parts = whole.split(separator: "/").filter { $0.count >= 8 }.map(String.init)
        return ([whole] + parts).filter { $0.count > 1 }
    }
}
