import FinOps

/// The kinds of `GET /organization/usage/{kind}`: how finely each can be grouped and what a row of it measures.
/// `user_id` is never asked for: it is personal, and no cost hangs on it.
enum OpenAIUsageKind: String, CaseIterable, Sendable {
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

    var path: String { "/organization/usage/\(rawValue)" }

    var groupings: [String] {
        switch self {
        case .completions: ["project_id", "api_key_id", "model", "batch", "service_tier"]
        case .embeddings, .moderations, .audioSpeeches, .audioTranscriptions: ["project_id", "api_key_id", "model"]
        case .images: ["project_id", "api_key_id", "model", "size", "source"]
        case .vectorStores, .codeInterpreterSessions: ["project_id"]
        case .fileSearchCalls: ["project_id", "api_key_id", "vector_store_id"]
        case .webSearchCalls: ["project_id", "api_key_id", "model", "context_level"]
        }
    }

    /// Reads the counts of a row. Only what defines the kind is required; a newer or rarer count that is missing is 0.
    func quantities(_ row: AnswerReader) throws(SourceFailure) -> WireQuantities {
        var counts = WireQuantities()
        switch self {
        case .completions:
            try readTokens(row, into: &counts)
        case .embeddings, .moderations:
            counts.inputTokens = try row.count("input_tokens", required: true)
        case .images: counts.images = try row.count("images", required: true)
        case .audioSpeeches: counts.characters = try row.count("characters", required: true)
        case .audioTranscriptions: counts.seconds = try row.count("seconds", required: true)
        case .vectorStores: counts.usageBytes = try row.count("usage_bytes", required: true)
        case .codeInterpreterSessions: counts.sessions = try row.count("num_sessions", required: true)
        case .fileSearchCalls, .webSearchCalls: counts.calls = try row.count("num_requests", required: true)
        }
        counts.requests = try row.count("num_model_requests")
        return counts
    }

    private func readTokens(_ row: AnswerReader, into counts: inout WireQuantities) throws(SourceFailure) {
        counts.inputTokens = try row.count("input_tokens", required: true)
        counts.outputTokens = try row.count("output_tokens", required: true)
        counts.cachedInputTokens = try row.count("input_cached_tokens")
        counts.cacheWriteTokens = try row.count("input_cache_write_tokens")
        counts.audioInputTokens = try row.count("input_audio_tokens")
        counts.cachedAudioInputTokens = try row.count("input_cached_audio_tokens")
        counts.audioOutputTokens = try row.count("output_audio_tokens")
        counts.imageInputTokens = try row.count("input_image_tokens")
        counts.cachedImageInputTokens = try row.count("input_cached_image_tokens")
        counts.imageOutputTokens = try row.count("output_image_tokens")
        // The classes of input are parts of `input_tokens`; more in the parts than in the whole would be billed twice.
        let (parts, overflow) = counts.cachedInputTokens.addingReportingOverflow(counts.cacheWriteTokens)
        guard !overflow, parts <= counts.inputTokens else {
            throw row.malformed("input_cached_tokens", "with the cache writes it is more than input_tokens")
        }
    }
}
