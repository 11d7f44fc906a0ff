package import EventLog

/// What alerts and conditions there are, and what people have said about them: a fold over the streams `alert-…`,
/// `condition-…` and `threshold-…`, each in its own order, the alerts first.
package struct AlertBoard: Sendable {
    /// One level that a window of a scope has reached.
    package struct Alert: Sendable {
        package let scope: CostScope
        package let window: AlertWindow
        package let level: UInt32
        /// The latest: it is found again when it was cleared in between.
        package fileprivate(set) var crossing: WireThresholdCrossed
        /// When it was first found.
        package let first: Timestamp
        /// When it was found last, by the log's order.
        fileprivate(set) var position: Position
        /// When it was taken back; nil while it stands.
        package fileprivate(set) var cleared: Timestamp?
        /// cost, limit, zone or removed.
        package fileprivate(set) var clearing: String?
    }

    /// Somebody looks after it.
    package struct Acknowledgement: Hashable, Sendable {
        /// Opaque id of a person.
        package let actor: String
        package let at: Timestamp
        package let reason: String
        fileprivate let position: Position
    }

    /// Something that should happen and did not.
    package struct Condition: Sendable {
        package let raised: WireConditionRaised
        package let at: Timestamp
        /// nil while it stands.
        package fileprivate(set) var ended: Timestamp?
    }

    fileprivate struct AlertKey: Hashable {
        let scope: CostScope
        let window: AlertWindow
        let level: UInt32
    }

    fileprivate struct AnswerKey: Hashable {
        let scope: CostScope
        let window: AlertWindow
    }

    fileprivate struct ConditionKey: Hashable {
        let kind: String
        let subject: String
    }

    private var byKey: [AlertKey: Alert] = [:]
    private var answers: [AnswerKey: Acknowledgement] = [:]
    private var snoozes: [CostScope: Int64] = [:]
    private var byCondition: [ConditionKey: Condition] = [:]

    package init() {}

    // MARK: Reading

    /// A restatement of a week ago is news, and zones are up to a day ahead.
    private static let daysBack = 8

    /// Where what is found about the windows of the last days is.
    package static func streams(around day: Day) -> [StreamName] {
        let days = (-daysBack...1).map { day.advanced(by: $0) }
        return days.map { .alerts(.day, firstDay: $0) }
            + Set(days.map(\.monday)).sorted().map { .alerts(.week, firstDay: $0) }
    }

    /// Folds an event; of the types that are of no account here, nothing is decoded.
    /// - Throws: `UndecodableEvent`.
    package mutating func take(_ recorded: RecordedEvent) throws {
        guard Self.types.contains(recorded.type), let event = try EventCatalogue.decode(recorded.event) else { return }
        switch event {
        case .thresholdCrossed(let event): cross(event, recorded)
        case .thresholdCleared(let event):
            guard let key = AlertKey(event.scope, event.name, event.window, event.firstDay, event.level) else { return }
            byKey[key]?.cleared = recorded.recorded
            byKey[key]?.clearing = event.reason
        case .alertAcknowledged(let event):
            guard let scope = CostScope(kind: event.scope, name: event.name),
                let window = AlertWindow(event.window, event.firstDay)
            else { return }
            answers[AnswerKey(scope: scope, window: window)] = Acknowledgement(
                actor: recorded.event.actor, at: recorded.recorded, reason: event.reason, position: recorded.position)
        case .alertSnoozed(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { snoozes[scope] = event.until }
        case .conditionRaised(let event):
            byCondition[ConditionKey(kind: event.kind, subject: event.subject)] = Condition(
                raised: event, at: recorded.recorded)
        case .conditionEnded(let event):
            byCondition[ConditionKey(kind: event.kind, subject: event.subject)]?.ended = recorded.recorded
        default: break
        }
    }

    private static let types: Set<EventType> = [
        "threshold.crossed", "threshold.cleared", "alert.acknowledged", "alert.snoozed", "condition.raised",
        "condition.ended",
    ]

    private mutating func cross(_ event: WireThresholdCrossed, _ recorded: RecordedEvent) {
        guard let key = AlertKey(event.scope, event.name, event.window, event.firstDay, event.level) else { return }
        byKey[key] = Alert(
            scope: key.scope, window: key.window, level: key.level, crossing: event,
            first: byKey[key]?.first ?? recorded.recorded, position: recorded.position)
    }

    // MARK: Answers

    /// The newest windows first, in a window by scope, the highest level first.
    package var alerts: [Alert] {
        byKey.values.sorted { left, right in
            if left.window.firstDay != right.window.firstDay { return left.window.firstDay > right.window.firstDay }
            let (one, other) = (left.scope, right.scope)
            if one != other { return (one.kind, one.name) < (other.kind, other.name) }
            if left.window.kind != right.window.kind { return left.window.kind == .day }
            return left.level > right.level
        }
    }

    /// By kind and subject.
    package var conditions: [Condition] {
        byCondition.values.sorted { ($0.raised.kind, $0.raised.subject) < ($1.raised.kind, $1.raised.subject) }
    }

    /// Who looks after an alert; nil also when it was found again, or at another level, since somebody said so.
    package func acknowledgement(of alert: Alert) -> Acknowledgement? {
        guard let answer = answers[AnswerKey(scope: alert.scope, window: alert.window)],
            answer.position > alert.position
        else { return nil }
        return answer
    }

    /// Unix seconds until when a scope's alerts wait; nil when they do not.
    package func snoozed(_ scope: CostScope, at now: Timestamp) -> Int64? {
        snoozes[scope].flatMap { $0 > now.seconds ? $0 : nil }
    }

    /// The scopes whose alerts wait, with the Unix second until when, in the order of their names.
    package func snoozes(at now: Timestamp) -> [(scope: CostScope, until: Int64)] {
        snoozes.filter { $0.value > now.seconds }.map { ($0.key, $0.value) }
            .sorted { ($0.0.kind, $0.0.name) < ($1.0.kind, $1.0.name) }
    }

    /// The windows of a scope in which an alert stands, in their order, for `AlertRegister`.
    package func standing(_ scope: CostScope) -> [AlertRegister.Standing] {
        var unanswered: [AlertWindow: Bool] = [:]
        for alert in byKey.values where alert.scope == scope && alert.cleared == nil {
            let isUnanswered = acknowledgement(of: alert) == nil
            unanswered[alert.window] = unanswered[alert.window] == true || isUnanswered
        }
        return unanswered.map { AlertRegister.Standing($0.key, isUnanswered: $0.value) }
            .sorted {
                ($0.window.firstDay, $0.window.kind.rawValue) < ($1.window.firstDay, $1.window.kind.rawValue)
            }
    }
}

extension AlertBoard.AlertKey {
    fileprivate init?(_ scope: String, _ name: String, _ window: String, _ firstDay: String, _ level: UInt32) {
        guard let scope = CostScope(kind: scope, name: name), let window = AlertWindow(window, firstDay) else {
            return nil
        }
        self.init(scope: scope, window: window, level: level)
    }
}
