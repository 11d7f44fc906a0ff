import JSON

/// One call to a model, as far as the sandbox looks at it. Tokens are counted by one rule for all: four bytes of UTF-8 are
/// a token, rounded up, at least one; so that a test can say beforehand what a call will come to.
struct ModelRequest: Sendable {
    let body: JSONValue
    let model: String
    let isStreamed: Bool

    init(_ body: JSONValue) throws(ProviderRefusal) {
        guard body.members != nil else {
            throw .object(400, "We could not parse the JSON body of your request.", type: "invalid_request_error")
        }
        guard let model = body["model"]?.string, !model.isEmpty else {
            throw .object(400, "you must provide a model parameter", type: "invalid_request_error")
        }
        guard !model.hasPrefix("no-such-") else {
            throw .object(
                404, "The model `\(model)` does not exist or you do not have access to it.",
                type: "invalid_request_error", code: "model_not_found")
        }
        self.body = body
        self.model = model
        isStreamed = body["stream"]?.bool ?? false
    }

    /// The dated snapshot that a name without a date stands for.
    var served: String { Self.snapshots[model] ?? model }

    private static let snapshots = [
        "gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4.1": "gpt-4.1-2025-04-14",
        "o3": "o3-2025-04-16",
    ]

    /// The tier used: `auto` is the project's, which is the default one.
    var tier: String {
        switch body["service_tier"]?.string {
        case "flex": "flex"
        case "priority", "fast": "priority"
        default: "default"
        }
    }

    static func tokens(_ bytes: Int) -> Int { max(1, (bytes + 3) / 4) }

    /// All text of the prompt, wherever the dialect keeps it.
    var inputTokens: Int {
        let prompt = ["messages", "input", "prompt", "instructions", "system", "tools", "functions"]
            .compactMap { body[$0] }
        return Self.tokens(prompt.reduce(0) { $0 + Self.textBytes(of: $1) })
    }

    /// Half of a long prompt, in whole blocks of 128 tokens, is taken to be in the cache.
    var cachedTokens: Int { inputTokens < 1_024 ? 0 : inputTokens / 2 / 128 * 128 }

    private static func textBytes(of value: JSONValue) -> Int {
        switch value {
        case .string(let text): text.utf8.count
        case .array(let values): values.reduce(0) { $0 + textBytes(of: $1) }
        case .object(let members): members.reduce(0) { $0 + textBytes(of: $1.value) }
        default: 0
        }
    }

    /// The answer's words, one token each: as many as `max_tokens` (by any of its names) allows, 16 if it says nothing.
    var outputTokens: Int {
        let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"].compactMap { body[$0]?.integer }
        return max(1, min(limits.min().map { Int(clamping: $0) } ?? 16, Self.mostOutput))
    }

    private static let mostOutput = 4_096

    /// Thinking models spend eight tokens before they answer.
    var reasoningTokens: Int { ["o1", "o3", "o4", "gpt-5", "gpt-6"].contains(where: model.hasPrefix) ? 8 : 0 }

    var words: [String] { (0..<outputTokens).map { Self.vocabulary[$0 % Self.vocabulary.count] } }

    private static let vocabulary = ["The", " answer", " of", " the", " sandbox", " goes", " on", " and", " on."]

    /// The first tool offered, unless it was already used or must not be.
    var tool: (name: String, arguments: JSONValue)? {
        guard let tool = body["tools"]?.array?.first, body["tool_choice"]?.string != "none", !hasToolResult else {
            return nil
        }
        let function = tool["function"] ?? tool
        guard let name = function["name"]?.string else { return nil }
        return (name, Self.sample(of: function["parameters"] ?? function["input_schema"] ?? .null))
    }

    private var hasToolResult: Bool {
        let turns = (body["messages"]?.array ?? []) + (body["input"]?.array ?? [])
        return turns.contains { turn in
            turn["role"]?.string == "tool" || turn["type"]?.string == "function_call_output"
                || (turn["content"]?.array ?? []).contains { $0["type"]?.string == "tool_result" }
        }
    }

    /// The schema that the answer must have; nil for free text.
    var schema: JSONValue? {
        body["response_format"]?["json_schema"]?["schema"] ?? body["text"]?["format"]?["schema"]
    }

    /// The smallest value that fits a JSON schema of the common kinds.
    static func sample(of schema: JSONValue) -> JSONValue {
        if let first = schema["enum"]?.array?.first { return first }
        switch schema["type"]?.string {
        case "object":
            return .object((schema["properties"]?.members ?? []).map { .init($0.name, sample(of: $0.value)) })
        case "array": return [sample(of: schema["items"] ?? .null)]
        case "integer", "number": return 1
        case "boolean": return true
        case "string": return "sandbox"
        default: return .null
        }
    }

    /// The whole answer as one text.
    var text: String { schema.map { Self.sample(of: $0).text } ?? words.joined() }

    /// The pieces in which a stream delivers it.
    var pieces: [String] { schema == nil ? words : [text] }

    /// Whether the limit cut the answer off.
    var isCutOff: Bool { outputTokens < 16 && schema == nil }
}
