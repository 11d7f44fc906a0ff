package import EventLog
package import FinOps
import FoundationEssentials

/// Bounds how many different values the callers of a project can bring up: beyond that a value is `other`. What nobody has said
/// for 90 days makes room. A fold of the calls, so that neither a restart nor another gateway begins anew.
package struct ContextRegister: Sendable {
    private enum Field: String, Codable, Hashable { case taskType, intent, feature, user, metadataName }
    private struct Key: Hashable {
        let project: String
        let field: Field
    }

    private struct Values {
        /// The day, from 1970, on which each was said last.
        var seen: [String: Int64] = [:]
        /// When the old ones were looked for last: once a day, however many come that are too many.
        var swept: Int64 = 0
    }

    private var known: [Key: Values] = [:]
    private let limit: Int
    private let userLimit: Int
    private static let keptDays: Int64 = 90

    /// What stands for a value too many.
    package static let other = "other"

    /// - Parameters:
    ///   - limit: different values per project and field.
    ///   - userLimit: different users per project.
    package init(limit: Int = 200, userLimit: Int = 10_000) {
        self.limit = limit
        self.userLimit = userLimit
    }

    /// The context with values too many replaced; names too many in `metadata` are left out.
    package mutating func admit(_ context: CallContext, project: String, at now: Timestamp) -> CallContext {
        let day = now.seconds / 86_400
        var admitted = context
        admitted.taskType = admit(context.taskType, project, .taskType, day)
        admitted.intent = admit(context.intent, project, .intent, day)
        admitted.feature = admit(context.feature, project, .feature, day)
        admitted.user = admit(context.user, project, .user, day)
        for name in context.metadata.keys.sorted() where admit(name, project, .metadataName, day) != name {
            admitted.metadata[name] = nil
        }
        return admitted
    }

    /// Takes in what the log says that was admitted: before a restart, or by another gateway.
    package mutating func take(_ call: WireCallRecorded) {
        guard call.hasContext else { return }
        let (context, day) = (call.context, call.started / 86_400_000_000)
        note(context.taskType, call.project, .taskType, day)
        note(context.intent, call.project, .intent, day)
        note(context.feature, call.project, .feature, day)
        note(context.user, call.project, .user, day)
        for name in context.metadata.keys { _ = admit(name, call.project, .metadataName, day) }
    }

    private mutating func note(_ value: String, _ project: String, _ field: Field, _ day: Int64) {
        if value != Self.other { _ = admit(value, project, field, day) }
    }

    private mutating func admit(_ value: String, _ project: String, _ field: Field, _ day: Int64) -> String {
        guard !value.isEmpty else { return "" }
        let key = Key(project: project, field: field)
        let most = field == .user ? userLimit : limit
        var values = known.removeValue(forKey: key) ?? Values()
        defer { known[key] = values }
        if values.seen[value] == nil {
            if values.seen.count >= most, values.swept < day {
                values.swept = day
                values.seen = values.seen.filter { $0.value >= day - Self.keptDays }
            }
            guard values.seen.count < most else { return Self.other }
        }
        values.seen[value] = max(day, values.seen[value] ?? day)
        return value
    }

    // MARK: Writing down

    private struct Entry: Codable {
        let project: String
        let field: Field
        let seen: [String: Int64]
    }

    /// What `init(snapshot:)` reads; equal registers are equal bytes.
    /// - Throws: what JSON says of values that cannot be written, which no register has.
    package func snapshot() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let entries = known.map { Entry(project: $0.project, field: $0.field, seen: $1.seen) }
        return Array(
            try encoder.encode(
                entries.sorted { ($0.project, $0.field.rawValue) < ($1.project, $1.field.rawValue) }))
    }

    /// - Throws: what JSON says of bytes that `snapshot` did not write.
    package init(snapshot: [UInt8]) throws {
        self.init()
        for entry in try JSONDecoder().decode([Entry].self, from: Data(snapshot)) {
            known[Key(project: entry.project, field: entry.field)] = Values(seen: entry.seen)
        }
    }
}
