import ArgumentParser
import FinOps
import JSON
import Projections
import Runtime

/// The figures of the morning.
struct SummaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary", abstract: "Yesterday, this week, last week and this month.",
        discussion: "Example: reporter summary --dir D")

    @OptionGroup var options: AnswerOptions

    /// What every figure is subject to; it is the provider's delay, not ours.
    static let dataDelay = "providers publish usage 8 to 24 hours late: figures of the last day may still grow"

    private struct Period {
        let name: String
        let query: CostQuery
        let report: CostReport
    }

    func run() async throws {
        let answering = try await Answering.open(options)
        let periods = try Self.days(today: answering.today).map { name, days in
            let query = answering.query(by: [], days)
            return Period(name: name, query: query, report: try answering.reader.costs(query))
        }
        switch options.format {
        case .json: try Output.line(try document(answering, periods).text)
        case let format: try write(answering, periods, format)
        }
    }

    /// Weeks begin on Monday; this week and this month include the running day.
    static func days(today: Day) -> [(String, ClosedRange<Day>)] {
        let monday = today.monday
        let first = Day(year: today.civil.year, month: today.civil.month, day: 1)
        return [
            ("yesterday", today.advanced(by: -1)...today.advanced(by: -1)), ("this_week", monday...today),
            ("last_week", monday.advanced(by: -7)...monday.advanced(by: -1)), ("month", first...today),
        ]
    }

    private func document(_ answering: Answering, _ periods: [Period]) throws -> JSONValue {
        var members = try answering.envelope()
        for period in periods {
            let days: [JSONValue.Member] = [
                .init("from", .string("\(period.query.from)")), .init("to", .string("\(period.query.through)")),
            ]
            members.append(.init(period.name, .object(days + (CostDocument.total(period.report).members ?? []))))
        }
        members.append(.init("data_delay", ["hours_min": 8, "hours_max": 24, "note": .string(Self.dataDelay)]))
        return .object(members + (try answering.freshness()))
    }

    private func write(_ answering: Answering, _ periods: [Period], _ format: OutputFormat) throws {
        var table = Table([
            Table.Column("period"), Table.Column("from"), Table.Column("to"),
            Table.Column("cost", title: answering.currency, .right),
            Table.Column("input_tokens", title: "input", .right),
            Table.Column("output_tokens", title: "output", .right),
            Table.Column("requests", .right), Table.Column("unpriced_rows", title: "unpriced", .right),
        ])
        table.rows = periods.map { period in
            let total = period.report.total
            return [
                .string(period.name), .string("\(period.query.from)"), .string("\(period.query.through)"),
                .string(format == .table ? CostDocument.readable(total) : NanoText.text(total.cost)),
                .integer(total.inputTokens), .integer(total.outputTokens),
                .integer(total.requests), .integer(period.report.unpriced.rows),
            ]
        }
        try table.write(format)
        let rest = periods.last.map { CostDocument.notes($0.report, currency: answering.currency) } ?? []
        try answering.tell(format, ["Data delay: \(Self.dataDelay)."] + rest)
    }
}
