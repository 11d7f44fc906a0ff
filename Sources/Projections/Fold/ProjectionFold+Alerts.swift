import EventLog
import FinOps

/// Limits, what was found about them, and what should have happened and did not. An alert is a row from its crossing on; it
/// stands until it is cleared, and one that stands is not found twice.
extension ProjectionFold {
    func apply(_ event: WireThresholdSet, _ context: ProjectedEvent) throws {
        var parts: [String] = []
        if event.hasDaily { parts.append("daily \(text(event.daily))") }
        if event.hasWeekly { parts.append("weekly \(text(event.weekly))") }
        parts.append("at \(event.levels.map(String.init).joined(separator: ", ")) %")
        parts.append("days of \(event.zone)")
        if !["", ThresholdPolicy.alert.rawValue].contains(event.policy) { parts.append("policy \(event.policy)") }
        try audit(context, subject(event.scope, event.name), parts.joined(separator: ", "), event.reason)
    }

    func apply(_ event: WireThresholdRemoved, _ context: ProjectedEvent) throws {
        try audit(context, subject(event.scope, event.name), "", event.reason)
    }

    func apply(_ event: WireThresholdCrossed, _ context: ProjectedEvent) throws {
        let cause = event.hasCause ? event.cause : nil
        try run(
            """
            INSERT INTO alerts SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,
            ?25,?26,NULL,NULL,NULL,NULL,NULL,NULL WHERE NOT EXISTS (
                SELECT 1 FROM alerts WHERE scope = ?3 AND name = ?4 AND window_kind = ?6 AND first_day = ?7
                AND level = ?11 AND cleared_position IS NULL)
            """,
            position(context), time(context), .text(event.scope), .text(event.name), optional(event.team),
            .text(event.window), .text(event.firstDay), .integer(event.windowStart), .integer(event.windowEnd),
            .text(event.zone), .integer(Int64(event.level)), .integer(event.limit.nanos), .integer(event.cost.nanos),
            .text(event.cost.currency), .text(event.basis), .integer(Int64(clamping: event.position)),
            .integer(event.usageThrough), .integer(event.previous.nanos), .integer(event.forecast.nanos),
            optional(cause?.provider ?? ""), optional(cause?.account ?? ""),
            SQLValue(cause.flatMap { $0.hasProviderProjectID ? $0.providerProjectID : nil }),
            SQLValue(cause.flatMap { $0.hasApiKeyID ? $0.apiKeyID : nil }),
            SQLValue(cause.flatMap { $0.hasModel ? $0.model : nil }), SQLValue(cause?.cost.nanos),
            SQLValue(cause?.growth.nanos))
    }

    func apply(_ event: WireThresholdCleared, _ context: ProjectedEvent) throws {
        try run(
            """
            UPDATE alerts SET cleared_position = ?, cleared = ?, cleared_reason = ?, cleared_cost = ?
            WHERE scope = ? AND name = ? AND window_kind = ? AND first_day = ? AND level = ? AND cleared_position IS NULL
            """,
            position(context), time(context), .text(event.reason), .integer(event.cost.nanos), .text(event.scope),
            .text(event.name), .text(event.window), .text(event.firstDay), .integer(Int64(event.level)))
    }

    /// What stands of that window is looked after; a level that it reaches later is news again.
    func apply(_ event: WireAlertAcknowledged, _ context: ProjectedEvent) throws {
        try run(
            """
            UPDATE alerts SET acknowledged = ?, acknowledged_by = ? WHERE scope = ? AND name = ? AND window_kind = ?
            AND first_day = ? AND cleared_position IS NULL AND acknowledged IS NULL
            """,
            time(context), .text(context.actor), .text(event.scope), .text(event.name), .text(event.window),
            .text(event.firstDay))
        try audit(context, subject(event.scope, event.name), "\(event.window) \(event.firstDay)", event.reason)
    }

    func apply(_ event: WireAlertSnoozed, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO snoozes VALUES (?,?,?,?)
            ON CONFLICT DO UPDATE SET until = excluded.until, position = excluded.position
            """,
            .text(event.scope), .text(event.name), .integer(event.until), position(context))
        let until = ZonedHour.text(at: Timestamp(seconds: event.until), days.calendar)
        try audit(context, subject(event.scope, event.name), "until \(until)", event.reason)
    }

    func apply(_ event: WireConditionRaised, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO conditions VALUES (?,?,?,?,?,NULL,NULL,?)
            ON CONFLICT DO UPDATE SET detail = excluded.detail, raised = coalesce(raised, excluded.raised)
            """,
            .text(event.kind), .text(event.subject), .integer(event.since), .text(event.detail), time(context),
            position(context))
    }

    func apply(_ event: WireConditionEnded, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO conditions VALUES (?,?,?,'',NULL,?,?,?)
            ON CONFLICT DO UPDATE SET ended = coalesce(ended, excluded.ended), ending = excluded.ending
            """,
            .text(event.kind), .text(event.subject), .integer(event.since), time(context), .text(event.detail),
            position(context))
    }

    func time(_ context: ProjectedEvent) -> SQLValue { .integer(context.recorded.microseconds) }

    /// What proto3 leaves out comes as an empty text.
    private func optional(_ text: String) -> SQLValue { text.isEmpty ? .null : .text(text) }

    private func subject(_ scope: String, _ name: String) -> String { name.isEmpty ? scope : "\(scope)/\(name)" }

    private func text(_ money: WireMoney) -> String { "\(NanoText.text(Int128(money.nanos))) \(money.currency)" }
}
