package import EventLog
import SwiftProtobuf

/// Messages that the notifier gave up on, out of the stream `outbox-<destination>`.
package enum AbandonedNotifications: Decider {
    /// One message, and what became of it.
    package struct Letter: Hashable, Sendable {
        /// The latest time: what is given up again after a retry waits for an answer again.
        package var abandoned: WireNotificationAbandoned
        package var state: DeadLetterBox.Letter.State
        /// What was said when it was retried or skipped.
        package var reason: String
    }

    /// By the notification's id.
    package typealias State = [String: Letter]

    /// What a person answers.
    package enum Command: Sendable {
        /// It is to be sent after all: its cause is mended.
        case retry(destination: String, notification: String, reason: String)
        /// It is never to be sent.
        case skip(destination: String, notification: String, reason: String)
    }

    /// All that matters here of an outbox.
    package static let types: Set<EventType> = [
        "notification.abandoned", "notification.retried", "notification.skipped",
    ]

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .notificationAbandoned(let event):
            state[event.notification] = Letter(abandoned: event, state: .parked, reason: "")
        case .notificationRetried(let event):
            state[event.notification]?.state = .retried
            state[event.notification]?.reason = event.reason
        case .notificationSkipped(let event):
            state[event.notification]?.state = .skipped
            state[event.notification]?.reason = event.reason
        default: break
        }
    }

    /// The same answer again gives no further event.
    /// - Throws: `notAbandoned`; `alreadyAnswered` where the other answer was given.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        switch command {
        case .retry(let destination, let notification, let reason):
            guard try isOpen(destination, notification, else: .retried, state) else { return [] }
            return [
                .notificationRetried(
                    .with {
                        $0.destination = destination
                        $0.notification = notification
                        $0.reason = reason
                    })
            ]
        case .skip(let destination, let notification, let reason):
            guard try isOpen(destination, notification, else: .skipped, state) else { return [] }
            return [
                .notificationSkipped(
                    .with {
                        $0.destination = destination
                        $0.notification = notification
                        $0.reason = reason
                    })
            ]
        }
    }

    /// - Parameter answer: the state that a letter may be in instead.
    private static func isOpen(
        _ destination: String, _ notification: String, else answer: DeadLetterBox.Letter.State, _ state: State
    ) throws(AdministrationRejection) -> Bool {
        guard let letter = state[notification] else {
            throw .notAbandoned(destination: destination, notification: notification)
        }
        guard letter.state == .parked || letter.state == answer else {
            throw .alreadyAnswered(destination: destination, notification: notification, letter.state)
        }
        return letter.state == .parked
    }
}
