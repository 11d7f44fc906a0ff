import JSON
import Transfer

/// What an AWS service says when it says no. JSON services give the name in the body or in a header, in several spellings.
struct AWSError: Hashable, Sendable {
    /// Such as `ThrottlingException`; `HTTP 502` where the answer has none.
    let name: String
    /// May be empty: KMS tells nothing of a wrong encryption context.
    let message: String

    init(_ response: HTTPResponse) {
        // `try?`: a gateway's page in HTML is no JSON; the status says what there is to say.
        let json = try? JSONValue.parse(response.body)
        let header = response.header("x-amzn-ErrorType").map { $0.prefix { $0 != ":" } }
        let type = json?["__type"]?.string.map { $0.split(separator: "#").last ?? "" }
        let name = type ?? header ?? ""
        self.name = name.isEmpty ? "HTTP \(response.status)" : String(name.prefix(100))
        message = String((json?["message"]?.string ?? json?["Message"]?.string ?? "").prefix(500))
    }

    /// Both, for people.
    var text: String { message.isEmpty ? name : "\(name): \(message)" }
}
