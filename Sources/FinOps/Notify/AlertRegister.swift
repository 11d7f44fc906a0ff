import EventLog
import SwiftProtobuf

/// What people say about a scope's alerts. The stream is `threshold-<scope>-<name>`, beside the threshold itself.
package enum AlertRegister: Decider {
    package struct State: Sendable {
        package fileprivate(set) var acknowledged: Set<AlertWindow> = []
        /// Unix seconds; nil if it was never snoozed.
        package fileprivate(set) var snoozedUntil: Int64?
        /// Whether there is a limit.
        package fileprivate(set) var isArmed = false
    }

    /// A window in which an alert stands.
    package struct Standing: Hashable, Sendable {
        package let window: AlertWindow
        /// Something was found that the last acknowledgement did not know of.
        package let isUnanswered: Bool

        package init(_ window: AlertWindow, isUnanswered: Bool) {
            self.window = window
            self.isUnanswered = isUnanswered
        }
    }

    /// What a person says.
    package enum Command: Sendable {
        /// Somebody looks after what stands in these windows.
        case acknowledge(CostScope, [Standing], reason: String)
        /// Its alerts wait.
        /// - Parameters:
        ///   - until: Unix seconds.
        ///   - now: Unix seconds.
        case snooze(CostScope, until: Int64, now: Int64, reason: String)
        /// They wait no longer.
        case wake(CostScope, now: Int64, reason: String)
    }

    /// Longer than that nobody remembers: a limit that should not count for a month is changed or removed.
    package static let longestSnoozeSeconds: Int64 = 30 * 86_400

    package static var initialState: State { State() }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .thresholdSet: state.isArmed = true
        case .thresholdRemoved: state.isArmed = false
        case .alertAcknowledged(let event):
            if let window = AlertWindow(event.window, event.firstDay) { state.acknowledged.insert(window) }
        case .alertSnoozed(let event): state.snoozedUntil = event.until
        default: break
        }
    }

    /// - Returns: nothing when it has been said already.
    package static func decide(_ command: Command, _ state: State) throws(AlertRejection) -> [FinOpsEvent] {
        switch command {
        case .acknowledge(let scope, let standing, let reason):
            guard !standing.isEmpty else { throw .nothingStands(scope) }
            return standing.filter { $0.isUnanswered || !state.acknowledged.contains($0.window) }
                .map { .alertAcknowledged(acknowledgement(scope, $0.window, reason)) }
        case .snooze(let scope, let until, let now, let reason):
            guard state.isArmed else { throw .noThreshold(scope) }
            guard until > now else { throw .snoozeIsOver }
            guard until - now <= longestSnoozeSeconds else { throw .snoozeIsTooLong }
            return state.snoozedUntil == until ? [] : [snooze(scope, until: until, reason)]
        case .wake(let scope, let now, let reason):
            guard let until = state.snoozedUntil, until > now else { return [] }
            return [snooze(scope, until: now, reason)]
        }
    }

    private static func acknowledgement(
        _ scope: CostScope, _ window: AlertWindow, _ reason: String
    ) -> WireAlertAcknowledged {
        .with {
            $0.scope = scope.kind
            $0.name = scope.name
            $0.window = window.kind.rawValue
            $0.firstDay = window.firstDay.description
            $0.reason = reason
        }
    }

    private static func snooze(_ scope: CostScope, until: Int64, _ reason: String) -> FinOpsEvent {
        .alertSnoozed(
            .with {
                $0.scope = scope.kind
                $0.name = scope.name
                $0.until = until
                $0.reason = reason
            })
    }
}

/// A window that alerts are about, whatever its zone.
package struct AlertWindow: Hashable, Sendable {
    package let kind: WindowKind
    /// Of a week, the Monday.
    package let firstDay: Day

    package init(_ kind: WindowKind, firstDay: Day) {
        self.kind = kind
        self.firstDay = firstDay
    }

    /// - Returns: nil for what no writer of ours writes.
    package init?(_ kind: String, _ firstDay: String) {
        guard let kind = WindowKind(rawValue: kind), let day = Day(firstDay) else { return nil }
        self.init(kind, firstDay: day)
    }
}

/// Why a word about alerts is refused.
package enum AlertRejection: Error, Hashable, Sendable {
    case nothingStands(CostScope)
    case noThreshold(CostScope)
    case snoozeIsOver
    case snoozeIsTooLong
}

extension AlertRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .nothingStands(let scope):
            "no alert of \(scope.title) stands there: `finops alert list` shows which do"
        case .noThreshold(let scope):
            "\(scope.title) has no threshold: `finops threshold list` shows which there are"
        case .snoozeIsOver: "a snooze ends in the future: give --for 4h, or --until with a later time"
        case .snoozeIsTooLong:
            "a snooze lasts at most \(AlertRegister.longestSnoozeSeconds / 86_400) days: for longer, set another limit with `finops threshold set`"
        }
    }
}

extension CostScope {
    /// As sentences name it: `project "search-api"`, `the organisation`.
    package var title: String {
        switch self {
        case .project(let name): "project \"\(name)\""
        case .team(let name): "team \"\(name)\""
        case .organisation: "the organisation"
        }
    }
}
