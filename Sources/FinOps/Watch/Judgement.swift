import EventLog
import SwiftProtobuf

/// What one commit asks to be found.
struct Judgement {
    let position: Position
    /// Set when thresholds or owners changed: everything around this moment is judged, whether its cost changed or not.
    let look: Timestamp?
    /// What stands in windows that were judged, found when its threshold had another zone.
    private(set) var foreign: [Findings.Standing] = []
    private var found: [(place: Place, crossing: Crossing)] = []
    private var cleared: [Place: FinOpsEvent] = [:]

    /// An order that depends on nothing but what is found.
    private struct Place: Hashable, Comparable {
        let words: [String]
        let level: UInt32

        init(_ scope: CostScope, _ window: CostWindow, zone: String, level: UInt32) {
            words = [zone, window.kind.rawValue, window.firstDay.description, scope.kind, scope.name]
            self.level = level
        }

        static func < (left: Place, right: Place) -> Bool {
            left.words == right.words
                ? left.level < right.level : left.words.lexicographicallyPrecedes(right.words)
        }
    }

    init(position: Position, look: Timestamp?) {
        self.position = position
        self.look = look
    }

    var crossings: [Crossing] { found.sorted { $0.place < $1.place }.map(\.crossing) }
    var clearings: [FinOpsEvent] { cleared.sorted { $0.key < $1.key }.map(\.value) }

    /// Holds the changed sums of a window against the thresholds.
    /// - Parameter thresholds: by the number of the scope.
    mutating func judge(_ sums: WindowSums, _ thresholds: [Threshold?], _ findings: Findings) {
        let window = sums.window
        let known = findings.about(window)
        for change in sums.changed {
            guard change.scope < thresholds.count, let threshold = thresholds[change.scope] else { continue }
            let sum = sums.sum(change.scope)
            guard look != nil || sum != change.before else { continue }
            let reached = threshold.reached(sum, window.kind)
            let findings = known?[change.scope]
            // Most sums are far from their limits, and nothing was ever found about them.
            if reached.isEmpty, findings == nil { continue }
            // A window that had ended when the threshold was stated is judged by what becomes known of its cost later.
            let isOld = window.end <= threshold.since
            let before = isOld ? (look == nil ? threshold.reached(change.before, window.kind) : reached) : []
            var standing = (findings ?? [:]).filter { $0.value.isStanding }
            for (level, finding) in standing where finding.zone != threshold.zone {
                // About other hours, though they have the same first day.
                standing[level] = nil
                foreign.append(
                    Findings.Standing(
                        scope: change.scope, kind: window.kind, firstDay: window.firstDay.number, level: level,
                        finding: finding))
            }
            for level in reached where standing[level] == nil && !before.contains(level) {
                found.append(
                    (
                        Place(threshold.scope, window, zone: threshold.zone, level: level),
                        Crossing(
                            threshold: threshold, scope: change.scope, window: window, level: level, cost: sum)
                    ))
            }
            for (level, finding) in standing where !reached.contains(level) {
                clear(
                    threshold.scope, window, level: level, finding,
                    limit: Money(nanos: threshold.limit(window.kind) ?? 0, currency: threshold.currency), cost: sum,
                    reason: threshold.since == look ? "limit" : "cost")
            }
        }
    }

    /// Takes back what was found about a level; said twice, it is taken back once.
    mutating func clear(
        _ scope: CostScope, _ window: CostWindow, level: UInt32, _ finding: Findings.Finding, limit: Money,
        cost: Int128, reason: String
    ) {
        let event = WireThresholdCleared.with {
            $0.scope = scope.kind
            $0.name = scope.name
            $0.window = window.kind.rawValue
            $0.firstDay = window.firstDay.description
            $0.zone = finding.zone
            $0.level = level
            $0.limit = limit.wire
            $0.cost = Money(clamping: cost, currency: limit.currency).wire
            $0.position = position.value
            $0.reason = reason
            $0.team = finding.team
        }
        cleared[Place(scope, window, zone: finding.zone, level: level)] = .thresholdCleared(event)
    }
}

/// A level that a window's sum has reached.
struct Crossing {
    let threshold: Threshold
    /// Its number.
    let scope: Int
    let window: CostWindow
    let level: UInt32
    let cost: Int128
}
