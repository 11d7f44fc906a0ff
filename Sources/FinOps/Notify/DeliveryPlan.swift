import Digest
package import EventLog
import SwiftProtobuf

/// One attempt to deliver one message.
package struct DeliveryPlan: Hashable, Sendable {
    package let destination: String
    /// The same for every attempt: a UUID of the destination, the first item and the message's number.
    package let notification: String
    /// What is told, in the order in which it was queued, then what is only counted.
    package let items: [OutboxItem]
    /// How many at the end of `items` are only counted.
    package let heldBack: Int
    /// From 1.
    package let attempt: UInt32
    /// An earlier attempt may have been delivered.
    package let isUncertain: Bool

    /// What the message tells one by one.
    package var told: ArraySlice<OutboxItem> { items.dropLast(heldBack) }

    /// Said before it leaves.
    package var started: FinOpsEvent {
        .notificationStarted(
            .with {
                $0.destination = destination
                $0.notification = notification
                $0.items = items.map(\.id)
                $0.attempt = attempt
                $0.uncertain = isUncertain
                $0.heldBack = UInt32(clamping: heldBack)
            })
    }

    /// The other side has it.
    /// - Parameter answer: in its own words.
    package func delivered(answer: String, milliseconds: Int64) -> FinOpsEvent {
        .notificationDelivered(
            .with {
                $0.destination = destination
                $0.notification = notification
                $0.attempt = attempt
                $0.answer = cut(answer)
                $0.milliseconds = milliseconds
            })
    }

    /// It did not work. A next attempt waits as long as the other side asked for, else twice as long as the one before.
    package func failed(_ failure: DeliveryFailure, at now: Timestamp) -> FinOpsEvent {
        .notificationFailed(
            .with {
                $0.destination = destination
                $0.notification = notification
                $0.attempt = attempt
                $0.code = failure.code
                $0.message = cut(failure.message)
                $0.uncertain = failure.isUncertain
                $0.retriable = failure.isRetriable
                if failure.isRetriable { $0.retryAt = (now.microseconds + wait(failure)) / 1_000 }
            })
    }

    /// In microseconds.
    private func wait(_ failure: DeliveryFailure) -> Int64 {
        if let asked = failure.retryAfterSeconds { return min(max(asked, 1), Self.longestAskedSeconds) * 1_000_000 }
        let seconds = min(1 << Int64(min(attempt, 10) - 1), Self.longestPauseSeconds)
        // ± 20 %, so that many do not come back together; by the message, so that it can be told beforehand.
        var bits = (EventID(notification)?.low ?? 0) ^ UInt64(attempt) &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 31) &* 0xBF58_476D_1CE4_E5B9
        return seconds * (800_000 + Int64(bits >> 32) % 400_001)
    }

    private static let longestPauseSeconds: Int64 = 300
    private static let longestAskedSeconds: Int64 = 3_600

    private func cut(_ text: String) -> String { text.count > 300 ? text.prefix(299) + "…" : text }

    private static let namespace: (high: UInt64, low: UInt64) = (0x51A9_0C2E_77D4_4B1F, 0xA6E3_5D08_C94B_2E71)

    /// The name of a destination's message.
    static func name(destination: String, firstItem: String, number: UInt64) -> String {
        let (high, low) = nameBasedUUID(namespace: namespace, name: "\(destination)\n\(firstItem)\n\(number)")
        return EventID(high: high, low: low).description
    }
}
