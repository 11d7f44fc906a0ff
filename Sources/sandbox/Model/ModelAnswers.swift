import JSON

/// Whole answers in the shapes of OpenAI and Anthropic.
enum ModelAnswers {
    /// The moment that every answer is from: 2026-11-20T10:00:00Z.
    static let created: Int64 = 1_795_168_800

    /// What an answer on a route of OpenAI's tells of tokens, whole or streamed; nil where it tells none.
    static func usage(_ request: ModelRequest, _ route: ModelRoute) -> JSONValue? {
        switch route {
        case .chat: chatUsage(request, answers: request.isStreamed ? 1 : choices(request))
        case .completion: completion(request)["usage"]
        case .response: responseUsage(request)
        case .embeddings: embeddings(request)["usage"]
        default: nil
        }
    }

    private static func choices(_ request: ModelRequest) -> Int {
        max(1, min(128, Int(clamping: request.body["n"]?.integer ?? 1)))
    }

    // MARK: Chat and legacy completions

    static func chat(_ request: ModelRequest) -> JSONValue {
        let choices = (0..<choices(request)).map { index -> JSONValue in
            [
                "index": .integer(index), "message": message(request), "logprobs": nil,
                "finish_reason": .string(finish(request)),
            ]
        }
        return [
            "id": "chatcmpl-sandbox", "object": "chat.completion", "created": .integer(created),
            "model": .string(request.served), "choices": .array(choices),
            "usage": chatUsage(request, answers: choices.count), "service_tier": .string(request.tier),
            "system_fingerprint": "fp_sandbox",
        ]
    }

    private static func message(_ request: ModelRequest) -> JSONValue {
        guard let tool = request.tool else {
            return ["role": "assistant", "content": .string(request.text), "refusal": nil, "annotations": []]
        }
        return [
            "role": "assistant", "content": nil, "refusal": nil, "tool_calls": [call(tool)],
        ]
    }

    static func call(_ tool: (name: String, arguments: JSONValue)) -> JSONValue {
        [
            "id": "call_sandbox", "type": "function",
            "function": ["name": .string(tool.name), "arguments": .string(tool.arguments.text)],
        ]
    }

    static func finish(_ request: ModelRequest) -> String {
        request.tool != nil ? "tool_calls" : request.isCutOff ? "length" : "stop"
    }

    static func chatUsage(_ request: ModelRequest, answers: Int = 1) -> JSONValue {
        let (input, output) = (request.inputTokens, (request.outputTokens + request.reasoningTokens) * answers)
        return [
            "prompt_tokens": .integer(input), "completion_tokens": .integer(output),
            "total_tokens": .integer(input + output),
            "prompt_tokens_details": ["cached_tokens": .integer(request.cachedTokens), "audio_tokens": 0],
            "completion_tokens_details": [
                "reasoning_tokens": .integer(request.reasoningTokens * answers), "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            ],
        ]
    }

    static func completion(_ request: ModelRequest) -> JSONValue {
        let (input, output) = (request.inputTokens, request.outputTokens)
        return [
            "id": "cmpl-sandbox", "object": "text_completion", "created": .integer(created),
            "model": .string(request.served),
            "choices": [
                ["text": .string(request.text), "index": 0, "logprobs": nil, "finish_reason": .string(finish(request))]
            ],
            "usage": [
                "prompt_tokens": .integer(input), "completion_tokens": .integer(output),
                "total_tokens": .integer(input + output),
            ],
        ]
    }

    // MARK: Responses

    static func response(_ request: ModelRequest, id: String, status: String = "completed") -> JSONValue {
        let isDone = status == "completed" || status == "incomplete"
        return [
            "id": .string(id), "object": "response", "created_at": .integer(created), "status": .string(status),
            "background": request.body["background"] ?? false, "error": nil,
            "incomplete_details": status == "incomplete" ? ["reason": "max_output_tokens"] : nil,
            "instructions": request.body["instructions"] ?? .null,
            "max_output_tokens": request.body["max_output_tokens"] ?? .null, "model": .string(request.served),
            "output": isDone ? [item(request)] : [], "parallel_tool_calls": true, "previous_response_id": nil,
            "reasoning": ["effort": nil, "summary": nil], "service_tier": .string(request.tier), "store": true,
            "temperature": 1, "text": request.body["text"] ?? ["format": ["type": "text"]],
            "tool_choice": request.body["tool_choice"] ?? "auto", "tools": request.body["tools"] ?? [], "top_p": 1,
            "truncation": "disabled", "usage": isDone ? responseUsage(request) : nil, "user": nil,
            "metadata": request.body["metadata"] ?? [:],
        ]
    }

    static func item(_ request: ModelRequest) -> JSONValue {
        if let tool = request.tool {
            return [
                "id": "fc_sandbox", "type": "function_call", "status": "completed", "call_id": "call_sandbox",
                "name": .string(tool.name), "arguments": .string(tool.arguments.text),
            ]
        }
        return [
            "id": "msg_sandbox", "type": "message", "status": "completed", "role": "assistant",
            "content": [
                ["type": "output_text", "text": .string(request.text), "annotations": [], "logprobs": []]
            ],
        ]
    }

    static func responseUsage(_ request: ModelRequest) -> JSONValue {
        let (input, output) = (request.inputTokens, request.outputTokens + request.reasoningTokens)
        return [
            "input_tokens": .integer(input),
            "input_tokens_details": ["cached_tokens": .integer(request.cachedTokens), "cache_write_tokens": 0],
            "output_tokens": .integer(output),
            "output_tokens_details": ["reasoning_tokens": .integer(request.reasoningTokens)],
            "total_tokens": .integer(input + output),
        ]
    }

    // MARK: Without a conversation

    /// Vectors of three numbers; as base64 of floats where asked, which is what the official clients do.
    static func embeddings(_ request: ModelRequest) -> JSONValue {
        let count =
            switch request.body["input"] {
            case .array(let inputs)? where inputs.first?.numberText == nil: max(1, inputs.count)
            default: 1
            }
        let vector: JSONValue =
            request.body["encoding_format"]?.string == "base64"
            ? "AAAAPwAAgD4AAAA+" : [.number("0.5"), .number("0.25"), .number("0.125")]
        let data = (0..<count).map { index -> JSONValue in
            ["object": "embedding", "index": .integer(index), "embedding": vector]
        }
        return [
            "object": "list", "data": .array(data), "model": .string(request.served),
            "usage": [
                "prompt_tokens": .integer(request.inputTokens), "total_tokens": .integer(request.inputTokens),
            ],
        ]
    }

    static func moderation(_ request: ModelRequest) -> JSONValue {
        let categories = ["harassment", "hate", "self-harm", "sexual", "violence"]
        return [
            "id": "modr-sandbox", "model": .string(request.served),
            "results": [
                [
                    "flagged": false, "categories": .object(categories.map { .init($0, false) }),
                    "category_scores": .object(categories.map { .init($0, .number("0.0001")) }),
                ]
            ],
        ]
    }

    /// An image is 50 tokens of text in and 1,056 of image out, however it is asked for.
    static func image() -> JSONValue {
        [
            "created": .integer(created), "data": [["b64_json": "iVBORw0KGgo="]],
            "usage": [
                "total_tokens": 1_106, "input_tokens": 50, "output_tokens": 1_056,
                "input_tokens_details": ["text_tokens": 50, "image_tokens": 0],
            ],
        ]
    }

    /// A recording is 14 tokens of sound in and 45 of text out, whatever it holds.
    static func transcription() -> JSONValue {
        [
            "text": "The recording says that the sandbox listens.",
            "usage": [
                "type": "tokens", "input_tokens": 14, "input_token_details": ["text_tokens": 0, "audio_tokens": 14],
                "output_tokens": 45, "total_tokens": 59,
            ],
        ]
    }

    static let models: JSONValue = {
        let names = ["gpt-4o", "gpt-4o-mini", "o3", "text-embedding-3-small"]
        return ["object": "list", "data": .array(names.map(model))]
    }()

    static func model(_ name: String) -> JSONValue {
        ["id": .string(name), "object": "model", "created": .integer(created), "owned_by": "system"]
    }

    // MARK: Anthropic

    static func anthropic(_ request: ModelRequest) -> JSONValue {
        let content: JSONValue =
            if let tool = request.tool {
                ["type": "tool_use", "id": "toolu_sandbox", "name": .string(tool.name), "input": tool.arguments]
            } else {
                ["type": "text", "text": .string(request.text), "citations": nil]
            }
        return [
            "id": "msg_sandbox", "type": "message", "role": "assistant", "model": .string(request.served),
            "content": [content], "stop_reason": .string(stop(request)), "stop_sequence": nil,
            "usage": anthropicUsage(request, output: request.outputTokens),
        ]
    }

    static func stop(_ request: ModelRequest) -> String {
        request.tool != nil ? "tool_use" : request.isCutOff ? "max_tokens" : "end_turn"
    }

    /// Unlike OpenAI's, its input does not hold what came from the cache.
    static func anthropicUsage(_ request: ModelRequest, output: Int) -> JSONValue {
        [
            "input_tokens": .integer(request.inputTokens - request.cachedTokens), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": .integer(request.cachedTokens),
            "cache_creation": ["ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0],
            "output_tokens": .integer(output), "service_tier": "standard",
        ]
    }
}
