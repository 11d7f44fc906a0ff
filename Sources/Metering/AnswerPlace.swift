/// Where in an answer a value stands, as far as anybody asks. One tree serves all routes: providers do not use one name
/// for two things.
enum AnswerPlace: UInt8 {
    case unknown
    // Containers
    case root, inner, usage, inputDetails, cachedDetails, outputDetails, cacheCreation, serverTools
    case toolUsage, searchUsage, choices, choice, message, toolCalls, toolCall, function, speech
    case data, output, outputItem, content, contentPart
    // Single values
    case id, model, tier, status, type, itemType, geo, speed, background, error
    /// Generated text: only its length is looked at.
    case text
    // Counts
    case inputTokens, outputTokens, totalTokens, cached, cacheWrite, audioInput, imageInput
    case cachedAudio, cachedImage, reasoning, audioOutput, imageOutput
    case cacheCreated, cacheRead, write1h, searches, seconds

    /// The place of a member of that name.
    func member(_ name: UnsafeBufferPointer<UInt8>) -> AnswerPlace {
        for entry in Self.members[Int(rawValue)] where entry.name.equals(name, in: 0..<name.count) {
            return entry.place
        }
        return .unknown
    }

    /// The place of a list's elements.
    var element: AnswerPlace {
        switch self {
        case .choices: .choice
        case .toolCalls: .toolCall
        case .output: .outputItem
        case .content: .contentPart
        default: .unknown
        }
    }

    var isCount: Bool { rawValue >= AnswerPlace.inputTokens.rawValue }

    private static let members: [[(name: StaticString, place: AnswerPlace)]] = (0...seconds.rawValue).map {
        AnswerPlace(rawValue: $0)?.known ?? []
    }

    private static let answer: [(name: StaticString, place: AnswerPlace)] = [
        ("id", .id), ("model", .model), ("service_tier", .tier), ("status", .status), ("usage", .usage),
        ("output", .output), ("content", .content), ("tool_usage", .toolUsage), ("background", .background),
        ("error", .error),
    ]

    private var known: [(name: StaticString, place: AnswerPlace)] {
        switch self {
        case .root:
            Self.answer + [
                ("type", .type), ("choices", .choices), ("delta", .message), ("response", .inner),
                ("message", .inner), ("data", .data), ("duration", .seconds), ("content_block", .contentPart),
            ]
        case .inner: Self.answer
        case .usage:
            [
                ("prompt_tokens", .inputTokens), ("input_tokens", .inputTokens), ("completion_tokens", .outputTokens),
                ("output_tokens", .outputTokens), ("total_tokens", .totalTokens), ("seconds", .seconds),
                ("prompt_tokens_details", .inputDetails), ("input_tokens_details", .inputDetails),
                ("input_token_details", .inputDetails), ("completion_tokens_details", .outputDetails),
                ("output_tokens_details", .outputDetails), ("output_token_details", .outputDetails),
                ("cache_creation_input_tokens", .cacheCreated), ("cache_read_input_tokens", .cacheRead),
                ("cache_creation", .cacheCreation), ("server_tool_use", .serverTools), ("service_tier", .tier),
                ("inference_geo", .geo), ("speed", .speed),
            ]
        case .inputDetails:
            [
                ("cached_tokens", .cached), ("cache_write_tokens", .cacheWrite), ("audio_tokens", .audioInput),
                ("image_tokens", .imageInput), ("cached_tokens_details", .cachedDetails),
            ]
        case .cachedDetails: [("audio_tokens", .cachedAudio), ("image_tokens", .cachedImage)]
        case .outputDetails:
            [
                ("reasoning_tokens", .reasoning), ("thinking_tokens", .reasoning), ("audio_tokens", .audioOutput),
                ("image_tokens", .imageOutput),
            ]
        case .cacheCreation: [("ephemeral_1h_input_tokens", .write1h)]
        case .serverTools: [("web_search_requests", .searches)]
        case .toolUsage: [("web_search", .searchUsage)]
        case .searchUsage: [("num_requests", .searches)]
        case .choice: [("delta", .message), ("message", .message), ("text", .text)]
        case .message:
            [
                ("content", .text), ("text", .text), ("refusal", .text), ("reasoning_content", .text),
                ("reasoning", .text), ("partial_json", .text), ("thinking", .text), ("tool_calls", .toolCalls),
                ("function_call", .function), ("audio", .speech),
            ]
        case .toolCall: [("function", .function)]
        case .function: [("arguments", .text), ("name", .text)]
        case .speech: [("transcript", .text)]
        case .outputItem: [("type", .itemType), ("content", .content), ("arguments", .text)]
        case .contentPart: [("type", .itemType), ("text", .text), ("thinking", .text), ("refusal", .text)]
        default: []
        }
    }
}
