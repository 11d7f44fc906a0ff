import JSON

extension Provider {
    /// `GET /v1/usage?date=`: a UTC day's calls by five minutes, key, model and operation.
    func legacyUsage(of day: CivilDay, now: Int64) -> ProviderAnswer {
        struct Group: Hashable {
            let time: Int64
            let kind: UsageKind
            let dimensions: [Dimension: JSONValue]
        }
        let counted = entries(from: day.utcStart, to: day.utcStart + 86_400).filter {
            [.completions, .embeddings].contains($0.kind) && isVisible($0, after: usageDelay, at: now)
        }
        let groups = Dictionary(grouping: counted) {
            Group(time: $0.time / 300 * 300, kind: $0.kind, dimensions: $0.dimensions)
        }
        let rows = groups.map { group, entries in
            (order: ([group.time], text(group.dimensions)), row: row(group.time, group.kind, group.dimensions, entries))
        }
        let sorted = rows.sorted {
            $0.order.0[0] != $1.order.0[0] ? $0.order.0[0] < $1.order.0[0] : $0.order.1 < $1.order.1
        }
        var members: [JSONValue.Member] = [.init("object", "list"), .init("data", .array(sorted.map(\.row)))]
        for name in [
            "ft_data", "dalle_api_data", "whisper_api_data", "tts_api_data", "assistant_code_interpreter_data",
            "retrieval_storage_data",
        ] {
            members.append(.init(name, []))
        }
        return ProviderAnswer(.object(members))
    }

    private func text(_ dimensions: [Dimension: JSONValue]) -> String {
        [.apiKey, .model, .batch, .tier].map { (dimensions[$0] ?? .null).text }.joined(separator: "|")
    }

    private func row(
        _ time: Int64, _ kind: UsageKind, _ dimensions: [Dimension: JSONValue], _ entries: [UsageEntry]
    ) -> JSONValue {
        let isEmbedding = kind == .embeddings
        func sum(_ place: Int) -> JSONValue { .integer(entries.reduce(0) { $0 + $1.values[place] }) }
        let key = Organization.keys.first { $0.id == dimensions[.apiKey]?.string }
        return [
            "organization_id": "org-sandbox", "organization_name": "Sandbox", "aggregation_timestamp": .integer(time),
            "n_requests": sum(isEmbedding ? 1 : 5), "operation": isEmbedding ? "embeddings" : "completion",
            "snapshot_id": dimensions[.model] ?? .null, "n_context_tokens_total": sum(0),
            "n_generated_tokens_total": isEmbedding ? 0 : sum(1), "email": nil,
            "api_key_id": dimensions[.apiKey] ?? .null, "api_key_name": JSONValue(key?.name),
            "api_key_redacted": "sk-...0000", "api_key_type": "organization",
            "project_id": dimensions[.project] ?? .null, "project_name": JSONValue(key?.project),
            "request_type": dimensions[.batch] == .bool(true) ? "batch" : "",
            "n_cached_context_tokens_total": isEmbedding ? 0 : sum(2),
        ]
    }
}
