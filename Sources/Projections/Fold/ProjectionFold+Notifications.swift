import EventLog
import FinOps

/// Channels, what waits to be told, and every attempt to tell it.
extension ProjectionFold {
    func apply(_ event: WireChannelSet, _ context: ProjectedEvent) throws {
        let detail = "\(event.transport) \(event.address) to \(event.destinations.joined(separator: ", "))"
        try audit(context, event.channel, detail, event.reason)
    }

    func apply(_ event: WireChannelRemoved, _ context: ProjectedEvent) throws {
        try audit(context, event.channel, "", event.reason)
    }

    func apply(_ event: WireChannelScheduleSet, _ context: ProjectedEvent) throws {
        var parts: [String] = []
        if event.hasQuietFrom, event.hasQuietTo {
            parts.append("quiet from \(clock(event.quietFrom)) to \(clock(event.quietTo))")
        }
        if event.hasDigestAt { parts.append("digest at \(clock(event.digestAt))") }
        if event.canary { parts.append("canary") }
        let schedule = parts.isEmpty ? "none" : parts.joined(separator: ", ") + ", \(event.zone)"
        try audit(context, event.channel, schedule, event.reason)
    }

    func apply(_ event: WireNotificationQueued, _ context: ProjectedEvent) throws {
        try run(
            "INSERT INTO notification_items VALUES (?,?,?,?,?,?,'waiting',NULL,NULL,?) ON CONFLICT DO NOTHING",
            .text(event.destination), .text(event.item), .text(event.kind), .text(event.subject),
            .integer(Int64(clamping: event.cause)), time(context), position(context))
    }

    func apply(_ event: WireNotificationStarted, _ context: ProjectedEvent) throws {
        try run(
            """
            UPDATE notifications SET state = 'uncertain'
            WHERE destination = ? AND notification = ? AND attempt < ? AND state = 'started'
            """,
            .text(event.destination), .text(event.notification), .integer(Int64(event.attempt)))
        try take(event.items, event.destination, event.notification)
        try run(
            """
            INSERT INTO notifications(destination, notification, attempt, items, kinds, held_back, uncertain, state,
            started, position) VALUES (?,?,?,?,?,?,?,'started',?,?) ON CONFLICT DO NOTHING
            """,
            .text(event.destination), .text(event.notification), .integer(Int64(event.attempt)),
            SQLValue(event.items.count), .text(try kinds(event.destination, event.notification)),
            .integer(Int64(event.heldBack)), SQLValue(event.uncertain), time(context), position(context))
    }

    private func take(_ items: [String], _ destination: String, _ notification: String) throws {
        for item in items {
            try run(
                """
                UPDATE notification_items SET state = 'taken', notification = ?
                WHERE destination = ? AND item = ? AND told IS NULL
                """,
                .text(notification), .text(destination), .text(item))
        }
    }

    /// What a message tells, such as `cleared,crossed`.
    private func kinds(_ destination: String, _ notification: String) throws -> String {
        try statement(
            "SELECT DISTINCT kind FROM notification_items WHERE destination = ? AND notification = ? ORDER BY kind"
        ).rows([.text(destination), .text(notification)]) { $0.text(0) }.joined(separator: ",")
    }

    func apply(_ event: WireNotificationDelivered, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO notifications(destination, notification, attempt, state, ended, milliseconds, answer, position)
            VALUES (?,?,?,'delivered',?,?,?,?) ON CONFLICT DO UPDATE SET state = excluded.state, ended = excluded.ended,
            milliseconds = excluded.milliseconds, answer = excluded.answer
            """,
            .text(event.destination), .text(event.notification), .integer(Int64(event.attempt)), time(context),
            .integer(event.milliseconds), .text(event.answer), position(context))
        try run(
            """
            UPDATE notification_items SET state = 'told', told = ?
            WHERE destination = ? AND notification = ? AND told IS NULL
            """,
            time(context), .text(event.destination), .text(event.notification))
    }

    func apply(_ event: WireNotificationFailed, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO notifications(destination, notification, attempt, state, ended, code, message, retriable, retry_at,
            position) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET state = excluded.state,
            ended = excluded.ended, code = excluded.code, message = excluded.message, retriable = excluded.retriable,
            retry_at = excluded.retry_at
            """,
            .text(event.destination), .text(event.notification), .integer(Int64(event.attempt)),
            .text(event.uncertain ? "uncertain" : "failed"), time(context), .text(event.code), .text(event.message),
            SQLValue(event.retriable),
            event.retryAt == 0 ? .null : .integer(microseconds(ofMilliseconds: event.retryAt)),
            position(context))
    }

    /// The end of the scale where a time from outside lies beyond it.
    private func microseconds(ofMilliseconds milliseconds: Int64) -> Int64 {
        Int64(clamping: Int128(milliseconds) * 1_000)
    }

    func apply(_ event: WireNotificationAbandoned, _ context: ProjectedEvent) throws {
        try settle(event.destination, event.notification, "abandoned", event.reason)
    }

    func apply(_ event: WireNotificationRetried, _ context: ProjectedEvent) throws {
        try settle(event.destination, event.notification, "retried", event.reason)
        try audit(context, "\(event.destination)/\(event.notification)", "", event.reason)
    }

    func apply(_ event: WireNotificationSkipped, _ context: ProjectedEvent) throws {
        try settle(event.destination, event.notification, "skipped", event.reason)
        try audit(context, "\(event.destination)/\(event.notification)", "", event.reason)
    }

    /// What becomes of a message after its last attempt: it is said of that one.
    private func settle(_ destination: String, _ notification: String, _ state: String, _ reason: String) throws {
        try run(
            """
            UPDATE notifications SET state = ?3, reason = ?4, retry_at = NULL WHERE destination = ?1 AND notification = ?2
            AND attempt = (SELECT max(attempt) FROM notifications WHERE destination = ?1 AND notification = ?2)
            """,
            .text(destination), .text(notification), .text(state), .text(reason))
        try run(
            "UPDATE notification_items SET state = ? WHERE destination = ? AND notification = ? AND told IS NULL",
            .text(state == "retried" ? "taken" : state), .text(destination), .text(notification))
    }

    func apply(_ event: WireNotificationDropped, _ context: ProjectedEvent) throws {
        for item in event.items {
            try run(
                "UPDATE notification_items SET state = 'dropped' WHERE destination = ? AND item = ? AND told IS NULL",
                .text(event.destination), .text(item))
        }
    }

    /// Minutes after midnight as people write them.
    private func clock(_ minutes: UInt32) -> String {
        let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
        return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
    }
}
