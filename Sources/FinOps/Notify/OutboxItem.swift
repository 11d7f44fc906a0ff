package import EventLog

/// Something that is to be told to one destination: one `notification.queued`.
package struct OutboxItem: Hashable, Sendable {
    /// Unique in the destination.
    package let id: String
    package let kind: FactKind
    /// What at most one message an hour and level is about, such as `project/search-api`.
    package let subject: String
    /// The event it tells; `.start` for none.
    package let cause: Position
    /// It does not wait for the end of quiet hours, nor for a digest.
    package let isUrgent: Bool
    /// What ties a crossing to its clearing, and failures of one account to each other.
    package let correlation: String
    package let queued: Timestamp
    /// Somebody looks after it already.
    var isAcknowledged = false

    /// - Returns: nil for a kind that this program does not know.
    init?(_ event: WireNotificationQueued, at time: Timestamp) {
        guard let kind = FactKind(rawValue: event.kind) else { return nil }
        id = event.item
        self.kind = kind
        subject = event.subject
        cause = Position(event.cause)
        isUrgent = event.urgent
        correlation = event.correlation
        queued = time
    }

    /// Of a crossing, per cent of the limit; 0 where there are no levels.
    var level: UInt32 {
        guard kind == .crossed, let slash = correlation.lastIndex(of: "/") else { return 0 }
        return UInt32(correlation[correlation.index(after: slash)...]) ?? 0
    }

    /// Whether a message about its subject keeps further ones back for an hour: those of its level and of lower ones.
    var isThrottled: Bool { kind == .crossed || kind == .collectionFailed }

    /// Of items that go out together and share it, the newest is told and the others are counted; nil: it is told itself.
    var topic: String? {
        switch kind {
        // The levels of one window: all but what follows the last slash.
        case .crossed: correlation.lastIndex(of: "/").map { String(correlation[..<$0]) } ?? correlation
        case .collectionFailed: correlation
        default: nil
        }
    }
}

extension WireNotificationQueued {
    /// The subject of everything that is told about a scope's cost.
    static func subject(scope: String, name: String) -> String { "\(scope)/\(name)" }
}
