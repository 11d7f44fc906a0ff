import FinOps
import JSON

/// Reads the rows of one usage kind's buckets.
struct OpenAIUsageRows: Sendable {
    let account: String
    let kind: OpenAIUsageKind

    /// Rows of equal identity are added up.
    func rows(in results: [JSONValue], bucket: Int64) throws(SourceFailure) -> Set<WireUsageRow> {
        var sums = UsageSums()
        for (index, value) in results.enumerated() {
            let reader = AnswerReader(
                value: value, place: AnswerPlace(path: kind.path, bucketStart: bucket, row: index))
            try sums.add(try row(reader, bucket: bucket), reader)
        }
        return sums.rows
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
            case "project_id": if let text = try reader.text(name) { row.projectID = text }
            case "api_key_id": if let text = try reader.text(name) { row.apiKeyID = text }
            case "model": if let text = try reader.text(name) { row.model = text }
            case "batch": if let flag = try reader.flag(name) { row.batch = flag }
            case "service_tier": if let text = try reader.text(name) { row.serviceTier = text }
            case "size": if let text = try reader.text(name) { row.size = text }
            case "source": if let text = try reader.text(name) { row.source = text }
            case "vector_store_id": if let text = try reader.text(name) { row.vectorStoreID = text }
            default: if let text = try reader.text(name) { row.contextLevel = text }
            }
        }
        row.quantities = try kind.quantities(reader)
        return row
    }

    static func isGrouped(_ row: WireUsageRow) -> Bool {
        row.hasProjectID || row.hasApiKeyID || row.hasModel || row.hasBatch || row.hasServiceTier || row.hasSize
            || row.hasSource || row.hasVectorStoreID || row.hasContextLevel
    }

    /// By bucket, then grouping values: the order of a statement does not depend on the server's.
    static func precedes(_ left: WireUsageRow, _ right: WireUsageRow) -> Bool {
        func first(_ row: WireUsageRow) -> (Int64, String, String, String, String, Int) {
            let batch = row.hasBatch ? (row.batch ? 2 : 1) : 0
            return (row.bucketStart, row.projectID, row.apiKeyID, row.model, row.serviceTier, batch)
        }
        let (leftFirst, rightFirst) = (first(left), first(right))
        if leftFirst != rightFirst { return leftFirst < rightFirst }
        return (left.size, left.source, left.vectorStoreID, left.contextLevel)
            < (right.size, right.source, right.vectorStoreID, right.contextLevel)
    }
}

/// Rows of one bucket by identity. The identity is the row without its quantities.
struct UsageSums {
    private var quantities: [WireUsageRow: WireQuantities] = [:]

    /// - Throws: malformed answer if a sum leaves the range of a count.
    mutating func add(_ row: WireUsageRow, _ reader: AnswerReader) throws(SourceFailure) {
        var identity = row
        identity.clearQuantities()
        guard let known = quantities[identity] else {
            quantities[identity] = row.quantities
            return
        }
        guard let sum = known.adding(row.quantities) else { throw reader.malformed("a count", "is too large") }
        quantities[identity] = sum
    }

    var rows: Set<WireUsageRow> {
        Set(
            quantities.map { identity, quantities in
                var row = identity
                row.quantities = quantities
                return row
            })
    }
}

extension WireQuantities {
    /// - Returns: nil if a sum leaves the range of a count.
    fileprivate func adding(_ other: WireQuantities) -> WireQuantities? {
        var (sum, overflown) = (self, false)
        func add(_ path: WritableKeyPath<WireQuantities, Int64>) {
            let (value, overflow) = self[keyPath: path].addingReportingOverflow(other[keyPath: path])
            sum[keyPath: path] = value
            overflown = overflown || overflow
        }
        for path in Self.counts { add(path) }
        return overflown ? nil : sum
    }

    private static var counts: [WritableKeyPath<WireQuantities, Int64>] {
        [
            \.requests, \.inputTokens, \.cachedInputTokens, \.cacheWriteTokens, \.outputTokens, \.audioInputTokens,
            \.cachedAudioInputTokens, \.audioOutputTokens, \.imageInputTokens, \.cachedImageInputTokens,
            \.imageOutputTokens, \.images, \.characters, \.seconds, \.usageBytes, \.sessions, \.calls,
        ]
    }
}
