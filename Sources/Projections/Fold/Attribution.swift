/// Who owns a series from when on: spans in order of `begins`, each until the next. Nothing before the first.
struct AttributionTimeline: Equatable {
    struct Span: Equatable {
        var begins: Int64
        var owner: Int64
        /// `key` or `provider-project`.
        var rule: String?
        var version: Int64?
    }

    var spans: [Span] = []

    /// 0 stands for unattributed.
    func owner(at second: Int64) -> Int64 {
        if spans.count == 1 { return spans[0].begins <= second ? spans[0].owner : 0 }
        return span(at: second)?.owner ?? 0
    }

    func span(at second: Int64) -> Span? { spans.last { $0.begins <= second } }

    /// Whether an owner changes inside the half-open span, not at its start.
    func changes(inside span: Range<Int64>) -> Bool {
        spans.contains { $0.begins > span.lowerBound && $0.begins < span.upperBound }
    }
}

/// One answer of the attributor.
struct Assignment: Equatable {
    var begins: Int64
    var version: Int64
    var owner: Int64
}

/// The rule: among the assignments of a subject that have begun, the greatest version counts (of equal versions, which one
/// mapping of a moved project has, the one that began last); a key's own beats its provider project's.
enum AttributionRule {
    static func timeline(key: [Assignment], project: [Assignment]) -> AttributionTimeline {
        let moments = Set((key + project).map(\.begins)).sorted()
        var timeline = AttributionTimeline()
        for moment in moments {
            let span: AttributionTimeline.Span
            if let own = counting(key, at: moment) {
                span = .init(begins: moment, owner: own.owner, rule: "key", version: own.version)
            } else if let shared = counting(project, at: moment) {
                span = .init(begins: moment, owner: shared.owner, rule: "provider-project", version: shared.version)
            } else {
                continue
            }
            if let last = timeline.spans.last, last.rule == span.rule, last.version == span.version,
                last.owner == span.owner
            {
                continue
            }
            timeline.spans.append(span)
        }
        return timeline
    }

    private static func counting(_ assignments: [Assignment], at moment: Int64) -> Assignment? {
        assignments.filter { $0.begins <= moment }.max { ($0.version, $0.begins) < ($1.version, $1.begins) }
    }
}
