import FinOps
import JSON

/// Reads the rows of one usage kind's buckets.
struct OpenAIUsageRows: Sendable {
    let account: String
    let kind: OpenAIUsageKind

    func rows(in results: [JSONValue], bucket: Int64) throws(SourceFailure) -> [WireUsageRow] {
        var rows: [WireUsageRow] = []
        rows.reserveCapacity(results.count)
        for (index, value) in results.enumerated() {
            let place = AnswerPlace(path: kind.path, bucketStart: bucket, row: index)
            rows.append(try row(AnswerReader(value: value, place: place), bucket: bucket))
        }
        return rows
    }

    private func row(_ reader: AnswerReader, bucket: Int64) throws(SourceFailure) -> WireUsageRow {
        var row = WireUsageRow()
        row.provider = OpenAIUsageSource.provider
        row.account = account
        row.kind = kind.rawValue
        row.bucketStart = bucket
        row.bucketEnd = bucket + 3_600
        for name in kind.groupings {
            switch name {
            case "project_id": if let text = try reader.groupingValue(name) { row.projectID = text }
            case "api_key_id": if let text = try reader.groupingValue(name) { row.apiKeyID = text }
            case "model": if let text = try reader.groupingValue(name) { row.model = text }
            case "batch": if let flag = try reader.flag(name) { row.batch = flag }
            case "service_tier": if let text = try reader.groupingValue(name) { row.serviceTier = text }
            case "size": if let text = try reader.groupingValue(name) { row.size = text }
            case "source": if let text = try reader.groupingValue(name) { row.source = text }
            case "vector_store_id": if let text = try reader.groupingValue(name) { row.vectorStoreID = text }
            default: if let text = try reader.groupingValue(name) { row.contextLevel = text }
            }
        }
        row.quantities = try kind.quantities(reader)
        return row
    }

    static func isGrouped(_ row: WireUsageRow) -> Bool {
        row.hasProjectID || row.hasApiKeyID || row.hasModel || row.hasBatch || row.hasServiceTier || row.hasSize
            || row.hasSource || row.hasVectorStoreID || row.hasContextLevel
    }
}
