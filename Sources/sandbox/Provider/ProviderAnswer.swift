import JSON

/// What the sandbox says to one request.
struct ProviderAnswer: Sendable {
    var status = 200
    /// Seconds, for its `Retry-After`.
    var retryAfter: Int?
    var contentType = "application/json"
    var body: String

    init(_ body: JSONValue, status: Int = 200, retryAfter: Int? = nil) {
        self.body = body.text
        self.status = status
        self.retryAfter = retryAfter
    }

    init(html: String, status: Int) {
        body = html
        contentType = "text/html; charset=utf-8"
        self.status = status
    }
}

/// A request the provider turns down, worded as its own answers are.
struct ProviderRefusal: Error {
    let status: Int
    let body: JSONValue
    var retryAfter: Int?

    var answer: ProviderAnswer { ProviderAnswer(body, status: status, retryAfter: retryAfter) }

    static func object(_ status: Int, _ message: String, type: String, param: String? = nil, code: String? = nil)
        -> ProviderRefusal
    {
        ProviderRefusal(
            status: status,
            body: [
                "error": [
                    "message": .string(message), "type": .string(type), "param": JSONValue(param),
                    "code": JSONValue(code),
                ]
            ])
    }

    static func badParameter(_ name: String, _ message: String) -> ProviderRefusal {
        .object(400, message, type: "invalid_request_error", param: name, code: "invalid_value")
    }

    static let noKey = object(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
            + "(i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from "
            + "https://platform.openai.com/account/api-keys.",
        type: "invalid_request_error")

    static let wrongKey = incorrect(key: "sk-admin****")

    static func incorrect(key: String) -> ProviderRefusal {
        .object(
            401,
            "Incorrect API key provided: \(key). You can find your API key at "
                + "https://platform.openai.com/account/api-keys.",
            type: "invalid_request_error", code: "invalid_api_key")
    }

    /// The live answer's odd shape: `error` is a plain string.
    static let missingScope = ProviderRefusal(
        status: 403,
        body: [
            "error":
                .string(
                    "You have insufficient permissions for this operation. Missing scopes: api.usage.read. Check that "
                        + "you have the correct role in your organization, and if you're using a restricted API key, "
                        + "that it has the necessary scopes.")
        ])

    static func tooManyRequests(retryAfter: Int?) -> ProviderRefusal {
        var refusal = object(
            429, "Rate limit reached for requests", type: "requests", code: "rate_limit_exceeded")
        refusal.retryAfter = retryAfter
        return refusal
    }

    static let serverError = object(
        500, "The server had an error while processing your request. Sorry about that!", type: "server_error")

    static func notFound(_ path: String) -> ProviderRefusal {
        ProviderRefusal(status: 404, body: ["code": 404, "message": .string("\(path) was not found")])
    }
}
