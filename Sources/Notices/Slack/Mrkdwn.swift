/// Text in Slack's markup. What is written here in the source is markup; whatever is put in with `\( )` is escaped, so that
/// no name links, mentions, formats or quotes.
struct Mrkdwn: Hashable, Sendable, ExpressibleByStringInterpolation {
    private(set) var text: String

    init(stringLiteral text: String) { self.text = text }

    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// What Slack counts is not said; UTF-16 units of the escaped text are the most it can be.
    var length: Int { text.utf16.count }

    static func length(escaping text: String) -> Int { escaped(text).utf16.count }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {}

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ plain: String) { text += escaped(plain) }
        mutating func appendInterpolation(_ mrkdwn: Mrkdwn) { text += mrkdwn.text }
        mutating func appendInterpolation(code: String) { text += "`" + escapedCode(code) + "`" }

        mutating func appendInterpolation(_ phrase: Phrase) {
            for span in phrase.spans {
                switch span {
                case .text(let plain): appendInterpolation(plain)
                case .code(let code): appendInterpolation(code: code)
                }
            }
        }
    }

    /// Slack has no escape for its own marks, so letters that look like them stand in their place; an at sign is followed by
    /// a space of no width, and so are the two slashes of an address.
    private static func escaped(_ text: String) -> String {
        var out = ""
        let scalars = Array(text.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "*": out += "\u{2217}"
            case "~": out += "\u{223C}"
            case "`": out += "\u{02CB}"
            case "@": out += "@\u{200B}"
            case "_":
                // Inside a word it formats nothing, and names are full of them.
                let isInside =
                    index > 0 && index + 1 < scalars.count && isWord(scalars[index - 1]) && isWord(scalars[index + 1])
                out += isInside ? "_" : "\u{FF3F}"
            case "/" where index > 1 && scalars[index - 1] == ":": out += "\u{200B}/"
            case "\n", "\r": out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar == "_" || ("0"..."9" ~= scalar)
    }

    /// Between backticks only they and the three characters of Slack's own escapes mean anything.
    private static func escapedCode(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "`": out += "\u{02CB}"
            case "\n", "\r": out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
