package import EventLog

/// One attempt to deliver a message: a row of `notifications`.
package struct NotificationEntry: Hashable, Sendable {
    /// slack, mail-ko, mail-en, sentry …
    package var destination: String
    /// Of the message, the same for every attempt.
    package var notification: String
    /// From 1.
    package var attempt: Int64
    /// How many things it tells, those held back included.
    package var items: Int64
    /// Their kinds without repeats, such as `cleared,crossed`.
    package var kinds: String
    /// How many of the items are counted, not told one by one.
    package var heldBack: Int64
    /// An earlier attempt may have arrived, and the message says so.
    package var mayRepeat: Bool
    /// started, delivered, failed, uncertain (it may have arrived), abandoned (a dead letter), retried or skipped.
    package var state: String
    /// When the log took that it begins.
    package var started: Timestamp?
    /// When the log took its outcome; nil while there is none.
    package var ended: Timestamp?
    /// What the delivery took; nil unless it was delivered.
    package var milliseconds: Int64?
    /// The other side's words, cut; nil unless it was delivered.
    package var answer: String?
    /// throttled, unreachable, timed-out, refused, misconfigured …; nil unless it failed.
    package var code: String?
    package var message: String?
    /// Whether the same again may succeed; nil unless it failed.
    package var isRetriable: Bool?
    /// When it is tried again; nil: never, or it was.
    package var retryAt: Timestamp?
    /// Why it was given up, retried or skipped.
    package var reason: String?
    /// Of the event that began it.
    package var position: Int64
}

/// What waits for one destination.
package struct WaitingItems: Hashable, Sendable {
    package var destination: String
    /// Things not told yet, those of messages under way included.
    package var items: Int64
    /// When the oldest of them was queued.
    package var since: Timestamp
}

extension ProjectionReader {
    /// Newest first.
    /// - Parameter destination: nil for all.
    /// - Throws: `ProjectionFailure`.
    package func notifications(destination: String?, limit: Int) throws -> [NotificationEntry] {
        try rows(
            """
            SELECT destination, notification, attempt, items, kinds, held_back, uncertain, state, started, ended,
            milliseconds, answer, code, message, retriable, retry_at, reason, position
            FROM notifications WHERE ?1 IS NULL OR destination = ?1 ORDER BY position DESC LIMIT ?2
            """, [SQLValue(destination), SQLValue(limit)]
        ) { row in
            NotificationEntry(
                destination: row.text(0), notification: row.text(1), attempt: row.integer(2), items: row.integer(3),
                kinds: row.text(4), heldBack: row.integer(5), mayRepeat: row.integer(6) != 0, state: row.text(7),
                started: row.instant(8), ended: row.instant(9), milliseconds: row.optionalInteger(10),
                answer: row.optionalText(11), code: row.optionalText(12), message: row.optionalText(13),
                isRetriable: row.optionalInteger(14).map { $0 != 0 }, retryAt: row.instant(15),
                reason: row.optionalText(16), position: row.integer(17))
        }
    }

    /// By destination, those where something waits.
    /// - Parameter destination: nil for all.
    /// - Throws: `ProjectionFailure`.
    package func waiting(destination: String?) throws -> [WaitingItems] {
        try rows(
            """
            SELECT destination, count(*), min(queued) FROM notification_items
            WHERE state IN ('waiting', 'taken') AND (?1 IS NULL OR destination = ?1)
            GROUP BY destination ORDER BY destination
            """, [SQLValue(destination)]
        ) { row in
            WaitingItems(
                destination: row.text(0), items: row.integer(1), since: Timestamp(microseconds: row.integer(2)))
        }
    }
}
