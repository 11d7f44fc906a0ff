/// A grouping field of an answer's row.
enum Dimension: String, CaseIterable, Sendable {
    case project = "project_id"
    case user = "user_id"
    case apiKey = "api_key_id"
    case model
    case batch
    case tier = "service_tier"
    case size
    case source
    case vectorStore = "vector_store_id"
    case contextLevel = "context_level"
    case lineItem = "line_item"

    /// The query parameter that filters by it.
    var filterName: String? {
        switch self {
        case .project: "project_ids"
        case .user: "user_ids"
        case .apiKey: "api_key_ids"
        case .model: "models"
        case .batch: "batch"
        case .tier: nil
        case .size: "sizes"
        case .source: "sources"
        case .vectorStore: "vector_store_ids"
        case .contextLevel: "context_levels"
        case .lineItem: "line_items"
        }
    }
}

/// The ten kinds of `GET /organization/usage/{kind}`: what each measures and how it can be grouped. A table of
/// its own on purpose: a mistake in the pipeline's must not be repeated here.
enum UsageKind: String, CaseIterable, Sendable {
    case completions
    case embeddings
    case moderations
    case images
    case audioSpeeches = "audio_speeches"
    case audioTranscriptions = "audio_transcriptions"
    case vectorStores = "vector_stores"
    case codeInterpreterSessions = "code_interpreter_sessions"
    case fileSearchCalls = "file_search_calls"
    case webSearchCalls = "web_search_calls"

    var objectName: String {
        let word =
            switch self {
            case .fileSearchCalls: "file_searches"
            case .webSearchCalls: "web_searches"
            default: rawValue
            }
        return "organization.usage.\(word).result"
    }

    var dimensions: [Dimension] {
        switch self {
        case .completions: [.project, .user, .apiKey, .model, .batch, .tier]
        case .embeddings, .moderations, .audioSpeeches, .audioTranscriptions: [.project, .user, .apiKey, .model]
        case .images: [.size, .source, .project, .user, .apiKey, .model]
        case .vectorStores, .codeInterpreterSessions: [.project]
        case .fileSearchCalls: [.project, .user, .apiKey, .vectorStore]
        case .webSearchCalls: [.project, .user, .apiKey, .model, .contextLevel]
        }
    }

    /// The measures of a row, in their order; `UsageEntry.values` follows it.
    var measures: [String] {
        switch self {
        case .completions:
            [
                "input_tokens", "output_tokens", "input_cached_tokens", "input_audio_tokens", "output_audio_tokens",
                "num_model_requests",
            ]
        case .embeddings, .moderations: ["input_tokens", "num_model_requests"]
        case .images: ["images", "num_model_requests"]
        case .audioSpeeches: ["characters", "num_model_requests"]
        case .audioTranscriptions: ["seconds", "num_model_requests"]
        case .vectorStores: ["usage_bytes"]
        case .codeInterpreterSessions: ["num_sessions"]
        case .fileSearchCalls: ["num_requests"]
        case .webSearchCalls: ["num_model_requests", "num_requests"]
        }
    }
}
