import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// What other prices changed, with both values.
struct CorrectionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "corrections", abstract: "Metered rows and calls whose cost other prices changed, newest first.",
        discussion: """
            "before" and "after" are both costs, "before_version" and "after_version" the prices they come from; \
            counts never change. JSON's "next" is what --after takes for the following ones. The old figure as a \
            whole: reporter costs --as-of with a position before the correction.
            Example: reporter corrections --limit 100 --json
            """)

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("correction"), help: "Only of this one, by its id.") var correction: String?
    @Flag(name: .customLong("first-prices"), help: "Also what had no price before.") var firstPrices = false
    @Option(name: .customLong("limit"), help: "At most this many, up to 10000.") var limit = 1_000
    @Option(name: .customLong("after"), help: "Go on behind an answer's \"next\".") var after: Int64?

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 10000") }
    }

    func run() async throws {
        let answering = try await Answering.open(options)
        let entries = try answering.reader.corrections(
            of: correction, includingFirstPrices: firstPrices, after: after, limit: limit)
        let next = entries.count == limit ? entries.last?.position : nil
        let table = Self.table(entries)
        switch options.format {
        case .json:
            let members: [JSONValue.Member] = [
                .init("corrections", .array(table.objects)), .init("next", next.map { .integer($0) } ?? .null),
            ]
            try Output.line(JSONValue.object(try answering.envelope() + members + (try answering.freshness())).text)
        case let format:
            try table.write(format)
            try answering.tell(format, next.map { ["More: --after \($0)"] } ?? [])
        }
    }

    private static func table(_ entries: [CorrectionEntry]) -> Table {
        var table = Table(
            [
                "position", "time", "subject", "correction", "actor", "provider", "account", "service", "project",
                "key",
                "model", "started", "call", "attempt", "before", "before_nano", "after", "after_nano", "difference",
                "difference_nano", "currency", "before_version", "after_version", "reason",
            ].map { Table.Column($0) })
        func money(_ nanos: Int64?) -> [JSONValue] {
            [JSONValue(nanos.map { NanoText.text(Int128($0)) }), nanos.map { .integer($0) } ?? .null]
        }
        table.rows = entries.map { entry in
            let what: [JSONValue] = [
                .integer(entry.position), .string(entry.time.rfc3339Seconds), .string(entry.subject),
                JSONValue(entry.correction), .string(entry.actor), .string(entry.provider), .string(entry.account),
                .string(entry.service), JSONValue(entry.project), JSONValue(entry.key), JSONValue(entry.model),
                .string(entry.started.rfc3339), JSONValue(entry.call), entry.attempt.map { .integer($0) } ?? .null,
            ]
            return what + money(entry.before) + money(entry.after) + money(entry.difference) + [
                .string(entry.currency), .string(entry.beforeVersion), .string(entry.afterVersion),
                .string(entry.reason),
            ]
        }
        return table
    }
}
