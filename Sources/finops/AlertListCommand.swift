import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Vault

extension AlertCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows which limits are passed and what does not happen that should.",
            discussion: """
                It looks at the windows that began within the last eight days. --all shows every window there was, and \
                what was taken back.
                Examples:
                  finops alert list
                  finops alert list --all --json
                """)

        @Flag(help: "Every window, also what was cleared or has ended.") var all = false
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let log: some EventReader = .local(of: directory)
            let now = try PipelineClock.load(from: directory).now()
            let board = try await log.alertBoard(at: now, days: all ? nil : [])
            let people = try await Person.all(in: try SecretStore.local(of: directory))
            let names = Dictionary(people.map { ($0.id, $0.name) }) { first, _ in first }
            let alerts = Self.table(of: board, at: now, all: all, names)
            let snoozes = Self.snoozes(of: board, at: now)
            let conditions = Self.conditions(of: board, all: all)
            if options.json {
                return try Output.line(
                    JSONValue.object([
                        .init("alerts", .array(alerts.objects)), .init("snoozes", .array(snoozes.objects)),
                        .init("conditions", .array(conditions.objects)), .init("time", .string(now.rfc3339)),
                    ]).prettyText)
            }
            try alerts.write(.table)
            for table in [snoozes, conditions] where !table.rows.isEmpty {
                try Output.line("")
                try table.write(.table)
            }
        }

        private static func table(
            of board: AlertBoard, at now: Timestamp, all: Bool, _ names: [String: String]
        ) -> Table {
            var table = Table([
                .init("scope"), .init("name"), .init("window"), .init("first_day", title: "from"), .init("zone"),
                .init("level", .right) { "\(Table.plainText($0)) %" }, .init("cost", .right, display: cents),
                .init("limit", .right, display: cents), .init("currency"),
                .init("first_fired", title: "first fired"), .init("cleared"),
                .init("acknowledged_by", title: "acknowledged by") { id in
                    id.string.flatMap { names[$0] } ?? Table.plainText(id)
                },
                .init("acknowledged_at", title: "at"), .init("acknowledgement", title: "because"),
                .init("snoozed_until", title: "snoozed until"),
            ])
            table.rows = board.alerts.filter { all || $0.cleared == nil }.map { alert in
                let answer = board.acknowledgement(of: alert)
                return [
                    .string(alert.scope.kind), .string(alert.scope.name), .string(alert.window.kind.rawValue),
                    .string(alert.window.firstDay.description), .string(alert.crossing.zone), .integer(alert.level),
                    .string(NanoText.text(Int128(alert.crossing.cost.nanos))),
                    .string(NanoText.text(Int128(alert.crossing.limit.nanos))), .string(alert.crossing.cost.currency),
                    .string(alert.first.rfc3339Seconds), JSONValue(alert.cleared?.rfc3339Seconds),
                    JSONValue(answer?.actor), JSONValue(answer?.at.rfc3339Seconds), JSONValue(answer?.reason),
                    JSONValue(
                        board.snoozed(alert.scope, at: now).map { Timestamp(seconds: $0).rfc3339Seconds }),
                ]
            }
            return table
        }

        /// Rounded down, so that no cost looks like the limit before it is.
        private static let cents: @Sendable (JSONValue) -> String = { value in
            Table.plainText(value).split(separator: ".").enumerated()
                .map { $0.offset == 0 ? String($0.element) : String($0.element.prefix(2)) }.joined(separator: ".")
        }

        private static func snoozes(of board: AlertBoard, at now: Timestamp) -> Table {
            var table = Table([.init("scope"), .init("name"), .init("snoozed_until", title: "snoozed until")])
            table.rows = board.snoozes(at: now).map { snooze in
                [
                    .string(snooze.scope.kind), .string(snooze.scope.name),
                    .string(Timestamp(seconds: snooze.until).rfc3339Seconds),
                ]
            }
            return table
        }

        private static func conditions(of board: AlertBoard, all: Bool) -> Table {
            var table = Table([
                .init("condition"), .init("subject"), .init("since"), .init("raised"), .init("ended"), .init("detail"),
            ])
            table.rows = board.conditions.filter { all || $0.ended == nil }.map { condition in
                [
                    .string(condition.raised.kind), .string(condition.raised.subject),
                    .string(Timestamp(seconds: condition.raised.since).rfc3339Seconds),
                    .string(condition.at.rfc3339Seconds), JSONValue(condition.ended?.rfc3339Seconds),
                    .string(condition.raised.detail),
                ]
            }
            return table
        }
    }
}
