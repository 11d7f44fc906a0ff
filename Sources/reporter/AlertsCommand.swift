import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// Crossed thresholds, and what should have happened and did not.
struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "Crossed thresholds and conditions of the pipeline, newest first.",
        discussion: """
            An alert is open until it is acknowledged or cleared by what becomes known later; --state open shows what \
            stands and nobody looks after. --from, --to and --last choose the days on which it was found.
            "percent" is the cost in per cent of the limit, rounded as in messages; "previous" is the window before up \
            to the same distance from its start, "forecast" a straight line to the window's end; "cause" is the \
            consumer that grew most. "notified" is when a message first told it. JSON has "conditions" beside \
            "alerts": what should have happened and did not.
            Example: reporter alerts --state open --last 7d --dir D
            Example: reporter alerts --json --dir D
            """)

    /// Which alerts are listed.
    enum State: String, ExpressibleByArgument, CaseIterable { case open, all }

    @OptionGroup var options: AnswerOptions
    @OptionGroup var days: DayOptions
    @Option(name: .customLong("state"), help: "open or all.") var state = State.all
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50

    func run() async throws {
        let answering = try await Answering.open(options, about: .alerts)
        let calendar = answering.reader.calendar
        let span = try days.days(today: answering.today).map {
            calendar.span(from: $0.lowerBound, through: $0.upperBound)
        }
        let query = AlertQuery(openOnly: state == .open, span: span, limit: limit)
        let document = AlertDocument(calendar: calendar, now: answering.clock.now())
        let alerts = try answering.reader.alerts(query)
        let conditions = try answering.reader.conditions(query)
        switch options.format {
        case .json:
            let members: [JSONValue.Member] = [
                .init("alerts", .array(document.table(alerts).objects)),
                .init("conditions", .array(document.table(conditions).objects)),
            ]
            let answer = try answering.envelope() + members + (try answering.freshness())
            try Output.line(JSONValue.object(answer).text)
        case .table:
            try document.readableTable(alerts).write(.table)
            if !conditions.isEmpty {
                try Output.line("")
                try document.readableTable(conditions).write(.table)
            }
            try answering.tell(.table)
        case let format:
            try document.table(alerts).write(format)
            try answering.tell(format, conditions.map(document.sentence))
        }
    }
}
