/// A piece of text for people, in which what is typed or looked up literally stands apart: `"키 \(code: id)"`.
struct Phrase: Hashable, Sendable, ExpressibleByStringInterpolation {
    enum Span: Hashable, Sendable {
        case text(String)
        /// An id, a model, an error's code: shown as it is, in fixed width.
        case code(String)
    }

    private(set) var spans: [Span] = []

    init(_ text: String) { spans = [.text(text)] }

    init(stringLiteral text: String) { self.init(text) }

    init(stringInterpolation: Interpolation) { spans = stringInterpolation.spans }

    static func code(_ text: String) -> Phrase { "\(code: text)" }

    static func + (left: Phrase, right: Phrase) -> Phrase {
        var sum = left
        sum.spans += right.spans
        return sum
    }

    var plain: String {
        spans.map { span in
            switch span {
            case .text(let text), .code(let text): text
            }
        }.joined()
    }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var spans: [Span] = []

        init(literalCapacity: Int, interpolationCount: Int) {}

        mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { spans.append(.text(literal)) }
        }

        mutating func appendInterpolation(_ text: String) { appendLiteral(text) }
        mutating func appendInterpolation(_ number: some BinaryInteger) { appendLiteral(String(number)) }
        mutating func appendInterpolation(_ phrase: Phrase) { spans += phrase.spans }
        mutating func appendInterpolation(code: String) { if !code.isEmpty { spans.append(.code(code)) } }
    }
}
