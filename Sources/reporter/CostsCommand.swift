import ArgumentParser
import FinOps
import JSON
import Projections
import Runtime

/// Costs, grouped as asked.
struct CostsCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "costs", abstract: "Costs by team, project, key, model … and time.",
        discussion: """
            --by takes one or several of team, project, provider, account, service, key, model, tier, batch, \
            provider-project, task-type, intent, feature, hour, day, week, month. Task types, intents and features are \
            those of calls through a gateway, whose key is the gateway's; they are null for metered and billed costs, \
            and JSON's "caller_supplied" names them: they are the caller's word, which nobody has checked.
            --basis best counts the bill where it is in force, else what was metered, else what calls estimate. \
            --as-of answers from what the log held then.
            Example: reporter costs --by team,model --last 7d --dir D
            """)

    @OptionGroup var options: AnswerOptions
    @OptionGroup var selection: SelectionOptions

    @Option(name: .customLong("by"), help: "Dimensions, separated by commas.")
    var by = ""

    @Option(
        name: .customLong("as-of"),
        help: "A position of the log, a time such as 2026-11-20T09:00+09:00, or a day's end.")
    var asOf: String?

    func run() async throws {
        let dimensions = try Self.dimensions(by)
        let answering = try await AsOf.answering(options, asOf)
        let query = try selection.query(by: dimensions, answering)
        try selection.warn(answering)
        let report = try answering.reader.costs(query)
        try CostPrinting(answering: answering, query: query, report: report).print(options.format)
    }

    static func dimensions(_ text: String) throws -> [CostDimension] {
        var dimensions: [CostDimension] = []
        for name in text.split(separator: ",") {
            guard let dimension = CostDimension(rawValue: String(name)) else {
                let known = CostDimension.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("costs cannot be grouped by \"\(name)\"; known are \(known)")
            }
            if !dimensions.contains(dimension) { dimensions.append(dimension) }
        }
        return dimensions
    }
}

/// Prints an answer about costs.
struct CostPrinting {
    let answering: Answering
    let query: CostQuery
    let report: CostReport

    func print(_ format: OutputFormat) throws {
        switch format {
        case .json: try Output.line(try document().text)
        case .csv, .jsonl: try CostDocument.table(report, by: query.by).write(format)
        case .table: try CostDocument.readableTable(report, by: query.by, currency: answering.currency).write(.table)
        }
        try answering.tell(format, CostDocument.notes(report, currency: answering.currency))
    }

    private func document() throws -> JSONValue {
        var members = try answering.envelope()
        members += [
            .init("basis", .string(query.basis.rawValue)), .init("from", .string("\(query.from)")),
            .init("to", .string("\(query.through)")),
            .init("rows", .array(report.rows.map { CostDocument.row($0, by: query.by) })),
            .init("total", CostDocument.total(report)),
        ]
        let supplied = query.by.filter(\.isCallerSupplied).map(\.column)
        if !supplied.isEmpty { members.append(.init("caller_supplied", .array(supplied.map { .string($0) }))) }
        if report.daysAreApproximate { members.append(.init("days_are_approximate", true)) }
        return .object(members + (try answering.freshness()))
    }
}

/// Costs of the last days, day by day.
struct RecentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recent", abstract: "Costs of the last days, by day.",
        discussion: "Example: reporter recent --days 14 --dir D")

    @OptionGroup var options: AnswerOptions

    @Option(name: .customLong("days"), help: "How many days, today included.")
    var days = 7

    func validate() throws {
        guard (1...10_000).contains(days) else { throw ValidationError("--days is a number from 1 to 10000") }
    }

    func run() async throws {
        let answering = try await Answering.open(options)
        let today = answering.today
        let query = answering.query(by: [.day], today.advanced(by: 1 - days)...today)
        let report = try answering.reader.costs(query)
        try CostPrinting(answering: answering, query: query, report: report).print(options.format)
    }
}
