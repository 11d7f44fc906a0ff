import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// A list that the projections keep, printed with what every answer carries.
struct ListPrinting {
    let answering: Answering
    /// Its name in JSON.
    let name: String
    let table: Table
    /// As many rows as were asked for.
    let limit: Int

    func print(_ format: OutputFormat) throws {
        switch format {
        case .json:
            let members = try answering.envelope() + [.init(name, .array(table.objects))] + (try answering.freshness())
            try Output.line(JSONValue.object(members).text)
        case let format:
            try table.write(format)
            let mayHaveMore = table.rows.count >= limit
            try answering.tell(format, mayHaveMore ? ["The newest \(limit): --limit asks for more."] : [])
        }
    }
}

/// Collection runs: what `cron_logs` holds.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Collection runs, newest first.",
        discussion: "Example: reporter runs --limit 10 --dir D")

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50

    func run() async throws {
        let answering = try await Answering.open(options)
        var table = Table(
            [
                "run", "provider", "account", "kind", "from", "to", "state", "started", "ended", "rows", "recorded",
                "restated",
                "requests", "retries", "notes", "code", "message", "key",
            ].map { Table.Column($0) })
        table.rows = try answering.reader.runs(limit: limit).map { run in
            [
                .string(run.run), .string(run.provider), .string(run.account), .string(run.kind), .string(run.fromDay),
                .string(run.toDay), .string(run.state), JSONValue(run.started.map(\.rfc3339Seconds)),
                JSONValue(run.ended.map(\.rfc3339Seconds)), .integer(run.rows), .integer(run.recorded),
                .integer(run.restated), .integer(run.requests), .integer(run.retries),
                .string(run.notes), JSONValue(run.code), JSONValue(run.message), JSONValue(run.keyMask),
            ]
        }
        try ListPrinting(answering: answering, name: "runs", table: table, limit: limit).print(options.format)
    }
}

/// Who changed what, and why.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Administration, newest first.",
        discussion: "Example: reporter audit --limit 10 --dir D")

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50

    func run() async throws {
        let answering = try await Answering.open(options)
        var table = Table(
            ["position", "time", "actor", "action", "subject", "detail", "reason"].map { Table.Column($0) })
        table.rows = try answering.reader.audit(limit: limit).map { entry in
            [
                .integer(entry.position), .string(entry.time.rfc3339Seconds), .string(entry.actor),
                .string(entry.action),
                .string(entry.subject), .string(entry.detail), .string(entry.reason),
            ]
        }
        try ListPrinting(answering: answering, name: "audit", table: table, limit: limit).print(options.format)
    }
}

/// What the providers changed their minds about.
struct RestatementsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restatements", abstract: "Rows that a provider stated differently later, newest first.",
        discussion: "Example: reporter restatements --growth --dir D")

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50
    @Flag(name: .customLong("growth"), help: "Also running hours that had merely grown.") var growth = false

    func run() async throws {
        let answering = try await Answering.open(options)
        let money: (Int64?) -> JSONValue = { JSONValue($0.map { NanoText.text(Int128($0)) }) }
        var table = Table([
            Table.Column("position", .right), Table.Column("subject"), Table.Column("provider"),
            Table.Column("account"),
            Table.Column("hour"), Table.Column("service"), Table.Column("provider_project"), Table.Column("key"),
            Table.Column("model"), Table.Column("growth"), Table.Column("before", .right),
            Table.Column("after", .right),
            Table.Column("difference", .right), Table.Column("currency"),
        ])
        table.rows = try answering.reader.restatements(limit: limit, includingGrowth: growth).map { entry in
            [
                .integer(entry.position), .string(entry.subject), .string(entry.provider), .string(entry.account),
                .string(ZonedHour.text(at: entry.bucketStart, answering.reader.calendar)), JSONValue(entry.service),
                JSONValue(entry.providerProject), JSONValue(entry.key), JSONValue(entry.model), .bool(entry.isGrowth),
                money(entry.before), money(entry.after), money(entry.difference), JSONValue(entry.currency),
            ]
        }
        try ListPrinting(answering: answering, name: "restatements", table: table, limit: limit).print(options.format)
    }
}
