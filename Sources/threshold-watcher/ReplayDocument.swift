import EventLog
import FinOps
import JSON
import Runtime
import Stages

/// What a replay came to, as it is printed.
struct ReplayDocument {
    let statement: WireThresholdSet
    let days: ClosedRange<Day>
    let outcome: ThresholdReplay.Outcome

    func print(_ format: OutputFormat, quiet: Bool) throws {
        switch format {
        case .json: try Output.line(json.text)
        case .table: try readable.write(.table)
        case .csv, .jsonl: try table.write(format)
        }
        if format != .json, !quiet {
            Output.message("\(outcome.crossings.count) crossings · log looked at up to position \(outcome.position)")
        }
        for unreadable in outcome.unreadable {
            Output.message("warning: left out, because it cannot be read: \(unreadable)")
        }
    }

    private var json: JSONValue {
        [
            "scope": .string(statement.scope), "name": .string(statement.name), "zone": .string(statement.zone),
            "currency": .string((statement.hasDaily ? statement.daily : statement.weekly).currency),
            "daily": statement.hasDaily ? Self.amount(statement.daily) : .null,
            "weekly": statement.hasWeekly ? Self.amount(statement.weekly) : .null,
            "levels": .array(statement.levels.map { .integer($0) }), "from": .string("\(days.lowerBound)"),
            "to": .string("\(days.upperBound)"), "position": .integer(outcome.position.value),
            "events": .integer(outcome.events), "unreadable": .integer(outcome.unreadable.count),
            "crossings": .array(table.objects),
        ]
    }

    private var table: Table {
        Table(
            Self.columns.map { Table.Column($0.name) },
            rows: outcome.crossings.map { crossing in Self.columns.map { $0.value(crossing) } })
    }

    /// What fits on a screen.
    private var readable: Table {
        var table = Table([
            .init("window"), .init("first_day", title: "first day"), .init("level", .right) { "\($0.text) %" },
            .init("cost", .right), .init("limit", .right), .init("basis"), .init("known_at", title: "known"),
            .init("cause"), .init("cleared_at", title: "cleared"),
        ])
        table.rows = outcome.crossings.map { crossing in
            let crossed = crossing.crossed
            let cause = [crossed.cause.apiKeyID, crossed.cause.model].filter { !$0.isEmpty }
            return [
                .string(crossed.window), .string(crossed.firstDay), .integer(crossed.level), Self.rounded(crossed.cost),
                Self.rounded(crossed.limit), .string(crossed.basis), .string(crossing.known.rfc3339Seconds),
                cause.isEmpty ? .null : .string(cause.joined(separator: " · ")),
                JSONValue(crossing.cleared?.known.rfc3339Seconds),
            ]
        }
        return table
    }

    private static func amount(_ money: WireMoney) -> JSONValue { .string(NanoText.text(Int128(money.nanos))) }

    /// For people: to the cent.
    private static func rounded(_ money: WireMoney) -> JSONValue {
        let cents = DecimalText(value: Int128(money.nanos), exponent: -9).rounded(toScale: -2) ?? 0
        return .string(String(NanoText.text(cents * 10_000_000).dropLast(7)))
    }

    private struct Column {
        let name: String
        let value: (ThresholdReplay.Crossing) -> JSONValue
    }

    private static var columns: [Column] {
        [
            Column(name: "window") { .string($0.crossed.window) },
            Column(name: "first_day") { .string($0.crossed.firstDay) },
            Column(name: "window_start") { .string(Timestamp(seconds: $0.crossed.windowStart).rfc3339Seconds) },
            Column(name: "window_end") { .string(Timestamp(seconds: $0.crossed.windowEnd).rfc3339Seconds) },
            Column(name: "level") { .integer($0.crossed.level) },
            Column(name: "limit") { amount($0.crossed.limit) },
            Column(name: "cost") { amount($0.crossed.cost) },
            Column(name: "cost_nano") { .integer($0.crossed.cost.nanos) },
            Column(name: "basis") { .string($0.crossed.basis) },
            Column(name: "known_at") { .string($0.known.rfc3339Seconds) },
            Column(name: "position") { .integer($0.crossed.position) },
            Column(name: "usage_through") { crossing in
                let through = crossing.crossed.usageThrough
                return through == 0 ? .null : .string(Timestamp(seconds: through).rfc3339Seconds)
            },
            Column(name: "previous") { amount($0.crossed.previous) },
            Column(name: "forecast") { amount($0.crossed.forecast) },
            Column(name: "team") { $0.crossed.team.isEmpty ? .null : .string($0.crossed.team) },
            Column(name: "cause_provider") { cause($0) { .string($0.provider) } },
            Column(name: "cause_key") { cause($0) { $0.hasApiKeyID ? .string($0.apiKeyID) : .null } },
            Column(name: "cause_model") { cause($0) { $0.hasModel ? .string($0.model) : .null } },
            Column(name: "cause_cost") { cause($0) { amount($0.cost) } },
            Column(name: "cause_growth") { cause($0) { amount($0.growth) } },
            Column(name: "cleared_at") { JSONValue($0.cleared?.known.rfc3339Seconds) },
            Column(name: "cleared_position") { $0.cleared.map { .integer($0.cleared.position) } ?? .null },
            Column(name: "cleared_cost") { $0.cleared.map { amount($0.cleared.cost) } ?? .null },
        ]
    }

    private static func cause(
        _ crossing: ThresholdReplay.Crossing, _ value: (WireThresholdCrossed.Cause) -> JSONValue
    ) -> JSONValue {
        crossing.crossed.hasCause ? value(crossing.crossed.cause) : .null
    }
}
