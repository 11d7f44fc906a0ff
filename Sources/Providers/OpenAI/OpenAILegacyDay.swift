import EventLog
import FinOps
import JSON

/// Reads one day of the older usage endpoint: its lists are put into hours and into the kinds of the newer one.
struct OpenAILegacyDay {
    /// A day speaks about these kinds even where it has no row of them.
    static let kinds: [OpenAIUsageKind] = [
        .completions, .embeddings, .moderations, .images, .audioTranscriptions, .audioSpeeches,
    ]

    struct Outcome {
        var rows: [WireUsageRow] = []
        var covered: Set<UsageBucket> = []
        var notes: [String] = []
    }

    let account: String
    let day: Day

    private typealias Reading = (AnswerReader, inout WireUsageRow) throws(SourceFailure) -> Void

    /// - Throws: malformed answer, naming list and row; also for a row that lies in another day.
    func read(_ answer: JSONValue) throws(SourceFailure) -> Outcome {
        guard answer["data"]?.array != nil else { throw reader(answer).malformed("data", "is missing or no list") }
        var outcome = Outcome()
        outcome.rows += try rows("data", time: "aggregation_timestamp", of: answer, tokens)
        outcome.rows += try rows("dalle_api_data", of: answer, images)
        outcome.rows += try rows("whisper_api_data", of: answer, transcriptions)
        outcome.rows += try rows("tts_api_data", of: answer, speeches)
        outcome.notes = try notes(on: answer)
        let start = day.utcStart.seconds
        for kind in Set(Self.kinds.map(\.rawValue)).union(outcome.rows.map(\.kind)) {
            for hour in 0..<Int64(24) { outcome.covered.insert(UsageBucket(kind: kind, start: start + hour * 3_600)) }
        }
        return outcome
    }

    /// A list's rows in the hours of their times. Several of one hour are added by the domain.
    private func rows(
        _ list: String, time: String = "timestamp", of answer: JSONValue, _ read: Reading
    ) throws(SourceFailure) -> [WireUsageRow] {
        let start = day.utcStart.seconds
        var rows: [WireUsageRow] = []
        for (index, value) in try reader(answer).list(list).enumerated() {
            let reader = reader(value, list: list, row: index)
            let moment = try reader.count(time, required: true)
            guard (start..<start + 86_400).contains(moment) else {
                throw reader.malformed(time, "\(UTCText.minute(moment)) does not lie in \(day)")
            }
            var row = WireUsageRow()
            row.provider = OpenAIUsageSource.provider
            row.account = account
            row.bucketStart = moment - moment % 3_600
            row.bucketEnd = row.bucketStart + 3_600
            if let text = try reader.groupingValue("project_id") { row.projectID = text }
            if let text = try reader.groupingValue("api_key_id") { row.apiKeyID = text }
            try read(reader, &row)
            rows.append(row)
        }
        return rows
    }

    private func tokens(_ reader: AnswerReader, _ row: inout WireUsageRow) throws(SourceFailure) {
        row.kind = Self.kind(ofOperation: try reader.text("operation") ?? "completion")
        if let text = try reader.groupingValue("snapshot_id") { row.model = text }
        row.quantities.inputTokens = try reader.count("n_context_tokens_total", required: true)
        row.quantities.cachedInputTokens = try reader.count("n_cached_context_tokens_total")
        row.quantities.outputTokens = try reader.count("n_generated_tokens_total")
        row.quantities.requests = try reader.count("n_requests")
        guard row.quantities.cachedInputTokens <= row.quantities.inputTokens else {
            throw reader.malformed("n_cached_context_tokens_total", "is more than n_context_tokens_total")
        }
    }

    /// An operation nobody has described keeps its name, so that it is seen and not priced as something else.
    private static func kind(ofOperation operation: String) -> String {
        switch operation {
        case "completion", "completions", "chat.completion": OpenAIUsageKind.completions.rawValue
        case "embedding", "embeddings": OpenAIUsageKind.embeddings.rawValue
        case "moderation", "moderations": OpenAIUsageKind.moderations.rawValue
        default: "legacy-" + operation
        }
    }

    private func images(_ reader: AnswerReader, _ row: inout WireUsageRow) throws(SourceFailure) {
        row.kind = OpenAIUsageKind.images.rawValue
        if let text = try reader.groupingValue("model_id") { row.model = text }
        if let text = try reader.groupingValue("image_size") { row.size = text }
        switch try reader.text("operation") {
        case nil: break
        case "generations": row.source = "image.generation"
        case "edits": row.source = "image.edit"
        case "variations": row.source = "image.variation"
        case .some(let other): row.source = other
        }
        row.quantities.images = try reader.count("num_images", required: true)
        row.quantities.requests = try reader.count("num_requests")
    }

    private func transcriptions(_ reader: AnswerReader, _ row: inout WireUsageRow) throws(SourceFailure) {
        row.kind = OpenAIUsageKind.audioTranscriptions.rawValue
        if let text = try reader.groupingValue("model_id") { row.model = text }
        row.quantities.seconds = try reader.count("num_seconds", required: true)
        row.quantities.requests = try reader.count("num_requests")
    }

    private func speeches(_ reader: AnswerReader, _ row: inout WireUsageRow) throws(SourceFailure) {
        row.kind = OpenAIUsageKind.audioSpeeches.rawValue
        if let text = try reader.groupingValue("model_id") { row.model = text }
        row.quantities.characters = try reader.count("num_characters", required: true)
        row.quantities.requests = try reader.count("num_requests")
    }

    /// Lists whose rows nobody has described are named, not guessed at.
    private func notes(on answer: JSONValue) throws(SourceFailure) -> [String] {
        var notes: [String] = []
        for list in ["ft_data", "assistant_code_interpreter_data", "retrieval_storage_data"] {
            let count = try reader(answer).list(list).count
            if count > 0 { notes.append("/usage?date=\(day): \(count) rows of \(list) not collected") }
        }
        return notes
    }

    private func reader(_ value: JSONValue, list: String? = nil, row: Int? = nil) -> AnswerReader {
        AnswerReader(value: value, place: AnswerPlace(path: "/usage?date=\(day)", list: list, row: row))
    }
}
