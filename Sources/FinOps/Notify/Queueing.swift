package import EventLog
import SwiftProtobuf

/// Which alert goes where.
package enum Queueing {
    /// Takes errors only: what a program failed at.
    package static let errorTracker = "sentry"

    /// What may have to be told.
    package static let types: Set<EventType> = [
        "threshold.crossed", "threshold.cleared", "run.failed", "model.unpriced", "condition.raised", "condition.ended",
    ]

    /// From this level on, in per cent of the limit, a crossing does not wait for the morning.
    private static let urgentLevel: UInt32 = 100

    /// - Parameters:
    ///   - position: of the event.
    ///   - version: of the event in its stream.
    ///   - destinations: of all channels that are set.
    /// - Returns: what is queued, one for each destination that is told.
    package static func items(
        for event: FinOpsEvent, position: Position, version: StreamVersion, destinations: [String]
    ) -> [WireNotificationQueued] {
        guard let item = item(event, version) else { return [] }
        return destinations.filter { tells(item.kind, $0, all: destinations) }.map { destination in
            .with {
                $0.destination = destination
                $0.item = "\(item.kind.rawValue)-\(position)"
                $0.kind = item.kind.rawValue
                $0.subject = item.subject
                $0.cause = position.value
                $0.urgent = item.isUrgent
                $0.correlation = item.correlation
            }
        }
    }

    /// A message that says that the path works, whatever keeps others back.
    /// - Parameter id: unique.
    package static func test(_ destination: String, id: EventID) -> WireNotificationQueued {
        .with {
            $0.destination = destination
            $0.item = "\(FactKind.test.rawValue)-\(id)"
            $0.kind = FactKind.test.rawValue
            $0.subject = FactKind.test.rawValue
            $0.urgent = true
        }
    }

    private struct Item {
        let kind: FactKind
        let subject: String
        var isUrgent = false
        let correlation: String

        init(_ kind: FactKind, subject: String, correlation: String? = nil, isUrgent: Bool = false) {
            self.kind = kind
            self.subject = subject
            self.isUrgent = isUrgent
            self.correlation = correlation ?? subject
        }
    }

    private static func item(_ event: FinOpsEvent, _ version: StreamVersion) -> Item? {
        switch event {
        case .thresholdCrossed(let event):
            let subject = WireNotificationQueued.subject(scope: event.scope, name: event.name)
            return Item(
                .crossed, subject: subject, correlation: "\(subject)/\(event.window)/\(event.firstDay)/\(event.level)",
                isUrgent: event.level >= urgentLevel)
        case .thresholdCleared(let event):
            let subject = WireNotificationQueued.subject(scope: event.scope, name: event.name)
            return Item(
                .cleared, subject: subject, correlation: "\(subject)/\(event.window)/\(event.firstDay)/\(event.level)")
        case .runFailed(let event):
            // Whoever stopped it knows.
            guard event.code != SourceFailure.Kind.cancelled.rawValue else { return nil }
            return Item(.collectionFailed, subject: "collection", correlation: "\(event.provider)/\(event.account)")
        case .modelUnpriced(let event):
            // The first of its stream: once per model.
            guard version == StreamVersion.none.next else { return nil }
            return Item(.modelUnpriced, subject: "model/\(event.provider)/\(event.model)")
        case .conditionRaised(let event):
            return Item(.conditionRaised, subject: "condition/\(event.kind)/\(event.subject)")
        case .conditionEnded(let event):
            return Item(.conditionEnded, subject: "condition/\(event.kind)/\(event.subject)")
        default: return nil
        }
    }

    /// Collection failures are for administrators, who read mail where there is any.
    private static func tells(_ kind: FactKind, _ destination: String, all: [String]) -> Bool {
        guard kind == .collectionFailed else { return destination != errorTracker }
        let isMail = { (name: String) in name.hasPrefix("mail") }
        return destination == errorTracker || isMail(destination) || !all.contains(where: isMail)
    }
}
