import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// Alerts as rows for machines and for people.
struct AlertDocument {
    let calendar: BusinessCalendar
    let now: Timestamp

    func table(_ alerts: [AlertEntry]) -> Table {
        var table = Table(
            [
                "position", "time", "state", "scope", "name", "team", "window", "first_day", "window_start",
                "window_end",
                "zone", "level", "limit", "limit_nano", "cost", "cost_nano", "percent", "currency", "basis",
                "cause_position", "usage_through", "previous", "forecast", "cause_provider", "cause_account",
                "cause_provider_project", "cause_key", "cause_model", "cause_cost", "cause_growth", "cleared",
                "cleared_position", "cleared_reason", "cleared_cost", "acknowledged", "acknowledged_by",
                "snoozed_until",
                "notified",
            ].map { Table.Column($0) })
        table.rows = alerts.map { alert in
            found(alert) + [
                money(alert.previous), money(alert.forecast), JSONValue(alert.cause?.provider),
                JSONValue(alert.cause?.account), JSONValue(alert.cause?.providerProject), JSONValue(alert.cause?.key),
                JSONValue(alert.cause?.model), money(alert.cause?.cost), money(alert.cause?.growth),
            ] + settled(alert)
        }
        return table
    }

    private func found(_ alert: AlertEntry) -> [JSONValue] {
        [
            .integer(alert.position), time(alert.time), .string(alert.state(now: now).rawValue), .string(alert.scope),
            .string(alert.name), JSONValue(alert.team), .string(alert.window), .string(alert.firstDay),
            .string(ZonedHour.text(at: alert.windowStart, calendar(of: alert))),
            .string(ZonedHour.text(at: alert.windowEnd, calendar(of: alert))), .string(alert.zone),
            .integer(alert.level), money(alert.limit), .integer(alert.limit), money(alert.cost), .integer(alert.cost),
            JSONValue(Self.percent(alert.cost, of: alert.limit)), .string(alert.currency), .string(alert.basis),
            .integer(alert.causePosition), time(alert.usageThrough),
        ]
    }

    private func settled(_ alert: AlertEntry) -> [JSONValue] {
        [
            time(alert.clearing?.time), alert.clearing.map { .integer($0.position) } ?? .null,
            JSONValue(alert.clearing?.reason), money(alert.clearing?.cost), time(alert.acknowledged),
            JSONValue(alert.acknowledgedBy), time(alert.snoozedUntil), time(alert.told),
        ]
    }

    func table(_ conditions: [ConditionEntry]) -> Table {
        var table = Table(
            ["position", "kind", "subject", "since", "detail", "raised", "ended", "ending"].map { Table.Column($0) })
        table.rows = conditions.map { condition in
            [
                .integer(condition.position), .string(condition.kind), .string(condition.subject),
                time(condition.since), .string(condition.detail), time(condition.raised), time(condition.ended),
                JSONValue(condition.ending),
            ]
        }
        return table
    }

    // MARK: For people

    func readableTable(_ alerts: [AlertEntry]) -> Table {
        var table = Table([
            Table.Column("found"), Table.Column("state"), Table.Column("scope"), Table.Column("team"),
            Table.Column("window"), Table.Column("level", .right), Table.Column("cost", .right),
            Table.Column("limit", .right), Table.Column("percent", title: "%", .right),
            Table.Column("forecast", .right), Table.Column("currency"), Table.Column("cause"), Table.Column("notified"),
        ])
        table.rows = alerts.map { alert in
            [
                zoned(alert.time), .string(words(alert)),
                .string(alert.name.isEmpty ? alert.scope : "\(alert.scope) \(alert.name)"), JSONValue(alert.team),
                .string("\(alert.window) \(alert.firstDay)"), .string("\(alert.level) %"), rounded(alert.cost),
                rounded(alert.limit), JSONValue(Self.percent(alert.cost, of: alert.limit)), rounded(alert.forecast),
                .string(alert.currency), JSONValue(alert.cause.map(words)), zoned(alert.told),
            ]
        }
        return table
    }

    /// Such as `cleared by cost at 9.99` or `snoozed until …`.
    private func words(_ alert: AlertEntry) -> String {
        let state = alert.state(now: now)
        switch state {
        case .cleared:
            guard let clearing = alert.clearing else { return state.rawValue }
            return "cleared by \(clearing.reason) at \(CostDocument.rounded(Int128(clearing.cost)))"
        case .snoozed: return "snoozed until \(ZonedHour.text(at: alert.snoozedUntil ?? now, calendar))"
        case .acknowledged, .open: return state.rawValue
        }
    }

    private func words(_ cause: AlertEntry.Cause) -> String {
        let names = [cause.key, cause.model].compactMap(\.self)
        let growth = CostDocument.rounded(Int128(cause.growth))
        let sign = cause.growth < 0 ? "" : "+"
        return (names.isEmpty ? cause.provider : names.joined(separator: " ")) + " \(sign)\(growth)"
    }

    func readableTable(_ conditions: [ConditionEntry]) -> Table {
        var table = Table(
            ["condition", "subject", "since", "detail", "ended", "ending"].map { Table.Column($0) })
        table.rows = conditions.map { condition in
            [
                .string(condition.kind), .string(condition.subject), zoned(condition.since), .string(condition.detail),
                zoned(condition.ended), JSONValue(condition.ending),
            ]
        }
        return table
    }

    /// For those who read rows of another kind.
    func sentence(_ condition: ConditionEntry) -> String {
        let since = ZonedHour.text(at: condition.since, calendar)
        let end = condition.ended.map { ", ended \(ZonedHour.text(at: $0, calendar))" } ?? ""
        return "\(condition.kind): \(condition.subject) since \(since)\(end): \(condition.detail)"
    }

    // MARK: Values

    /// Of a limit, as messages round it.
    static func percent(_ cost: Int64, of limit: Int64) -> String? {
        guard let tenths = Share.tenthsOfPercent(cost, of: limit) else { return nil }
        let (whole, tenth) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
        return (tenths < 0 ? "-" : "") + "\(whole).\(tenth)"
    }

    private func money(_ nanos: Int64?) -> JSONValue { JSONValue(nanos.map { NanoText.text(Int128($0)) }) }
    private func rounded(_ nanos: Int64) -> JSONValue { .string(CostDocument.rounded(Int128(nanos))) }
    private func time(_ instant: Timestamp?) -> JSONValue { JSONValue(instant.map(\.rfc3339Seconds)) }
    private func zoned(_ instant: Timestamp?) -> JSONValue {
        JSONValue(instant.map { ZonedHour.text(at: $0, calendar) })
    }

    /// A window's ends are written in its own zone; in the business zone where the system does not know it.
    private func calendar(of alert: AlertEntry) -> BusinessCalendar { BusinessCalendar(alert.zone) ?? calendar }
}
