import JSON
import Secret
import Transfer

/// What an AWS service says when it says no. JSON services give the name in the body or in a header, in several spellings.
struct AWSError: Hashable, Sendable {
    /// Such as `ThrottlingException`; `HTTP 502` where the answer has none.
    let name: String
    /// One line; may be empty: KMS tells nothing of a wrong encryption context.
    let message: String

    /// - Parameter hidden: what was sent and is repeated nowhere. Of a signature that does not match AWS says which headers it
    ///   saw, the session's token among them.
    init(_ response: HTTPResponse, hiding hidden: [Secret] = []) {
        // `try?`: a gateway's page in HTML is no JSON; the status says what there is to say.
        let json = try? JSONValue.parse(response.body)
        let header = response.header("x-amzn-ErrorType").map { $0.prefix { $0 != ":" } }
        let type = json?["__type"]?.string.map { $0.split(separator: "#").last ?? "" }
        let name = type ?? header ?? ""
        let message = json?["message"]?.string ?? json?["Message"]?.string ?? ""
        let isEcho = hidden.contains { secret in
            secret.withUTF8 { !$0.isEmpty && (Array(message.utf8).contains($0) || Array(name.utf8).contains($0)) }
        }
        let shown = Self.line(name, 100)
        self.name = shown.isEmpty || isEcho ? "HTTP \(response.status)" : shown
        self.message = isEcho ? "" : Self.line(message, 500)
    }

    /// What others say becomes no second line of a log, and steers no terminal.
    private static func line(_ text: some StringProtocol, _ limit: Int) -> String {
        let line = text.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }.prefix(limit)
        return String(String.UnicodeScalarView(line.filter { !$0.isHidden }))
    }

    /// Both, for people.
    var text: String {
        message.isEmpty ? name : "\(name): \(message.hasSuffix(".") ? message.dropLast() : message[...])"
    }
}
