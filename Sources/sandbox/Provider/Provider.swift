import JSON

/// The organisation as its provider publishes it at some moment: what has become visible by then, and how it is told.
struct Provider: Sendable {
    let week: Week
    /// Seconds from a call until it shows in usage.
    let usageDelay: Int64
    /// Seconds from a call until it shows in costs.
    let costsDelay: Int64
    /// What was called here, beside the trace; in no order.
    var called: [UsageEntry] = []

    /// What an answer has wrong on purpose.
    enum Twist: String, Sendable {
        case duplicatePage = "duplicate-page"
        case missingPage = "missing-page"
        case missingBucket = "missing-bucket"
        case changedBucket = "changed-bucket"
        /// In the first bucket with rows, one of them has a count beyond belief or an amount in no currency.
        case malformedRow = "malformed-row"
        case currency
        case credit
    }

    func entries(from start: Int64, to end: Int64) -> [UsageEntry] {
        week.entries[week.entries.firstIndex(at: start)..<week.entries.firstIndex(at: end)]
            + called.filter { (start..<end).contains($0.time) }
    }

    func isVisible(_ entry: UsageEntry, after delay: Int64, at now: Int64) -> Bool {
        entry.time + delay + (entry.isLate ? Week.lateBy : 0) <= now
    }

    /// A page of buckets, with `rows` telling each one's results.
    func page(_ query: PageQuery, twist: Twist?, rows: (Range<Int64>) -> [JSONValue]) -> ProviderAnswer {
        var buckets: [JSONValue] = []
        var isMissingOne = false
        var hasSpoiledOne = false
        for start in query.buckets {
            var results = rows(start..<start + query.width)
            if twist == .missingBucket, !isMissingOne, !results.isEmpty {
                isMissingOne = true
                continue
            }
            if twist == .changedBucket, !results.isEmpty { results.removeLast() }
            if twist == .malformedRow, !hasSpoiledOne, let last = results.popLast() {
                hasSpoiledOne = true
                results.append(Self.spoiled(last))
            }
            buckets.append([
                "object": "bucket", "start_time": .integer(start), "end_time": .integer(start + query.width),
                "results": .array(results),
            ])
        }
        let next =
            switch twist {
            case .duplicatePage: query.token(pagesOn: 0)
            case .missingPage: query.token(pagesOn: 2) ?? query.token()
            default: query.token()
            }
        let isLast = query.token() == nil
        return ProviderAnswer([
            "object": "page", "data": .array(buckets), "has_more": .bool(!isLast),
            "next_page": isLast ? .null : JSONValue(next),
        ])
    }

    private static func spoiled(_ row: JSONValue) -> JSONValue {
        let members = (row.members ?? []).map { member in
            switch member.name {
            case "amount": JSONValue.Member(member.name, ["value": member.value["value"] ?? .null])
            case "input_tokens": JSONValue.Member(member.name, .integer(Int64(1) << 50))
            default: member
            }
        }
        return .object(members)
    }

    func usage(_ kind: UsageKind, _ query: PageQuery, now: Int64, twist: Twist?) -> ProviderAnswer {
        page(query, twist: twist) { bucket in
            let counted = entries(from: bucket.lowerBound, to: min(bucket.upperBound, query.end)).filter {
                $0.kind == kind && isVisible($0, after: usageDelay, at: now) && query.admits($0.dimensions)
            }
            return Dictionary(grouping: counted) { entry in query.groupBy.map { entry.dimensions[$0] ?? .null } }
                .map { (sortKey: $0.key.map(\.text), group: $0.key, entries: $0.value) }
                .sorted { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }
                .map { usageRow(kind, query, group: $0.group, entries: $0.entries) }
        }
    }

    private func usageRow(
        _ kind: UsageKind, _ query: PageQuery, group: [JSONValue], entries: [UsageEntry]
    ) -> JSONValue {
        var members = [JSONValue.Member("object", .string(kind.objectName))]
        for (place, measure) in kind.measures.enumerated() {
            members.append(.init(measure, .integer(entries.reduce(0) { $0 + $1.values[place] })))
        }
        for dimension in kind.dimensions {
            let place = query.groupBy.firstIndex(of: dimension)
            members.append(.init(dimension.rawValue, place.map { group[$0] } ?? .null))
        }
        return .object(members)
    }
}

extension PageQuery {
    func admits(_ dimensions: [Dimension: JSONValue]) -> Bool {
        filters.allSatisfy { dimension, allowed in
            switch dimensions[dimension] {
            case .string(let text): allowed.contains(text)
            case .bool(let value): allowed.contains(value ? "true" : "false")
            default: false
            }
        }
    }
}

extension [UsageEntry] {
    /// The place of the first entry at or after a time.
    func firstIndex(at time: Int64) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].time < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
