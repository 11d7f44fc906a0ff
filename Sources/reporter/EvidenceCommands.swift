import ArgumentParser
import FinOps
import JSON
import Projections
import Runtime

/// What no mapping claims, and the command that claims it.
struct UnattributedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unattributed", abstract: "Costs that no mapping claims, by key.",
        discussion: "Example: reporter unattributed --last 7d --dir D")

    @OptionGroup var options: AnswerOptions
    @OptionGroup var selection: SelectionOptions

    func run() async throws {
        let answering = try await Answering.open(options)
        let by: [CostDimension] = [.provider, .account, .providerProject, .key]
        var query = try selection.query(by: by, answering)
        query.filters[.project] = CostQuery.none
        let report = try answering.reader.costs(query)
        try CostPrinting(answering: answering, query: query, report: report).print(options.format)
        guard options.format == .table, let first = report.rows.first(where: { $0.dimensions[3] != nil }) else {
            return
        }
        try Output.line(
            "Claim a key with: finops key map --provider \(first.dimensions[0] ?? "P") "
                + "--provider-key-id \(first.dimensions[3] ?? "ID") --project PROJECT --dir \(answering.directory.path)"
        )
    }
}

/// The events behind a figure.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "The events behind the figure that the same filters give.",
        discussion: """
            Each line is the last statement about one cell: `event-log get POSITION` shows the event.
            Example: reporter explain --from 2026-11-20 --to 2026-11-20 --team search
            """)

    @OptionGroup var options: AnswerOptions
    @OptionGroup var selection: SelectionOptions
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 1_000
    @Option(name: .customLong("as-of"), help: "A position of the log, a time, or a day's end.") var asOf: String?

    func run() async throws {
        let answering = try await AsOf.answering(options, asOf)
        let query = try selection.query(by: [], answering)
        try selection.warn(answering)
        let explanation = try answering.reader.explain(query, limit: limit)
        let table = table(explanation, answering)
        switch options.format {
        case .json: try Output.line(try document(explanation, table, answering, query).text)
        case let format:
            try table.write(format)
            let figure =
                "\(explanation.count) cells, \(NanoText.text(explanation.cost)) \(answering.currency); "
                + "shown are \(explanation.evidence.count)."
            let rest = CostDocument.unconverted(explanation.unconverted, currency: answering.currency)
            try answering.tell(format, [figure] + rest)
        }
    }

    private func table(_ explanation: CostExplanation, _ answering: Answering) -> Table {
        var table = Table([
            Table.Column("position", .right), Table.Column("type"), Table.Column("hour"), Table.Column("basis"),
            Table.Column("provider"), Table.Column("account"), Table.Column("service"),
            Table.Column("provider_project"),
            Table.Column("key"), Table.Column("model"), Table.Column("team"), Table.Column("project"),
            Table.Column("cost", .right, display: { $0.isNull ? "unpriced" : Table.plainText($0) }),
            Table.Column("cost_nano", .right), Table.Column("currency"),
            Table.Column("input_tokens", .right), Table.Column("output_tokens", .right),
            Table.Column("requests", .right),
            Table.Column("price_version"), Table.Column("rule"), Table.Column("rule_version", .right),
        ])
        table.rows = explanation.evidence.map { cell in
            [
                .integer(cell.position), .string(cell.type),
                .string(ZonedHour.text(at: cell.bucketStart, answering.reader.calendar)), .string(cell.basis.name),
                .string(cell.provider), .string(cell.account), JSONValue(cell.service), JSONValue(cell.providerProject),
                JSONValue(cell.key), JSONValue(cell.model), JSONValue(cell.team), JSONValue(cell.project),
                JSONValue(cell.cost.map { NanoText.text(Int128($0)) }), cell.cost.map { .integer($0) } ?? .null,
                JSONValue(cell.currency), .integer(cell.inputTokens), .integer(cell.outputTokens),
                .integer(cell.requests), JSONValue(cell.priceVersion), JSONValue(cell.rule),
                cell.ruleVersion.map { .integer($0) } ?? .null,
            ]
        }
        return table
    }

    private func document(
        _ explanation: CostExplanation, _ table: Table, _ answering: Answering, _ query: CostQuery
    ) throws -> JSONValue {
        let members: [JSONValue.Member] = [
            .init("basis", .string(query.basis.rawValue)), .init("from", .string("\(query.from)")),
            .init("to", .string("\(query.through)")), .init("cells", .integer(explanation.count)),
            .init("cost", .string(NanoText.text(explanation.cost))), .init("cost_nano", .integer(explanation.cost)),
            .init("events", .array(table.objects)),
        ]
        return .object(try answering.envelope() + members + (try answering.freshness()))
    }
}
