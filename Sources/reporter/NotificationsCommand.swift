import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// What was told, where, and what became of it.
struct NotificationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifications", abstract: "Attempts to deliver messages, newest first, and what still waits.",
        discussion: """
            A row is one attempt. "state" is started, delivered, failed, uncertain (it may have arrived), abandoned (a \
            dead letter), retried or skipped; "items" is how many things the message tells, "held_back" how many of \
            them it only counts, "may_repeat" whether an earlier attempt may have arrived. JSON has "waiting": what is \
            not told yet, by destination.
            Example: reporter notifications --destination slack --limit 10 --dir D
            Example: reporter notifications --json --dir D
            """)

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("destination"), help: "Only this one, such as slack or mail-ko.") var destination: String?
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50

    func run() async throws {
        let answering = try await Answering.open(options, about: .notifications)
        let attempts = try answering.reader.notifications(destination: destination, limit: limit)
        let waiting = try answering.reader.waiting(destination: destination)
        switch options.format {
        case .json:
            let members: [JSONValue.Member] = [
                .init("notifications", .array(table(attempts).objects)),
                .init("waiting", .array(waiting.map(document))),
            ]
            let answer = try answering.envelope() + members + (try answering.freshness())
            try Output.line(JSONValue.object(answer).text)
        case let format:
            let rows = format == .table ? readableTable(attempts, answering.reader.calendar) : table(attempts)
            try rows.write(format)
            let notes = waiting.map { waiting in
                let since = ZonedHour.text(at: waiting.since, answering.reader.calendar)
                return "Not told yet: \(waiting.items) for \(waiting.destination), the oldest since \(since)."
            }
            try answering.tell(format, notes)
        }
    }

    private func document(_ waiting: WaitingItems) -> JSONValue {
        [
            "destination": .string(waiting.destination), "items": .integer(waiting.items),
            "since": .string(waiting.since.rfc3339Seconds),
        ]
    }

    private func table(_ attempts: [NotificationEntry]) -> Table {
        var table = Table(
            [
                "position", "destination", "notification", "attempt", "state", "kinds", "items", "held_back",
                "may_repeat", "started", "ended", "milliseconds", "answer", "code", "message", "retriable", "retry_at",
                "reason",
            ].map { Table.Column($0) })
        table.rows = attempts.map { attempt in
            [
                .integer(attempt.position), .string(attempt.destination), .string(attempt.notification),
                .integer(attempt.attempt), .string(attempt.state), .string(attempt.kinds), .integer(attempt.items),
                .integer(attempt.heldBack), .bool(attempt.mayRepeat), JSONValue(attempt.started.map(\.rfc3339Seconds)),
                JSONValue(attempt.ended.map(\.rfc3339Seconds)), attempt.milliseconds.map { .integer($0) } ?? .null,
                JSONValue(attempt.answer), JSONValue(attempt.code), JSONValue(attempt.message),
                attempt.isRetriable.map { .bool($0) } ?? .null, JSONValue(attempt.retryAt.map(\.rfc3339Seconds)),
                JSONValue(attempt.reason),
            ]
        }
        return table
    }

    /// For people: one column says what came of it, and the message's id is left out.
    private func readableTable(_ attempts: [NotificationEntry], _ calendar: BusinessCalendar) -> Table {
        let zoned: (Timestamp?) -> JSONValue = { JSONValue($0.map { ZonedHour.text(at: $0, calendar) }) }
        var table = Table([
            Table.Column("started"), Table.Column("destination"), Table.Column("kinds"), Table.Column("items", .right),
            Table.Column("attempt", .right), Table.Column("state"), Table.Column("ms", .right), Table.Column("outcome"),
            Table.Column("retry_at", title: "again at"),
        ])
        table.rows = attempts.map { attempt in
            [
                zoned(attempt.started), .string(attempt.destination), .string(attempt.kinds), .integer(attempt.items),
                .integer(attempt.attempt), .string(attempt.mayRepeat ? "\(attempt.state) (repeat?)" : attempt.state),
                attempt.milliseconds.map { .integer($0) } ?? .null, JSONValue(outcome(attempt)), zoned(attempt.retryAt),
            ]
        }
        return table
    }

    private func outcome(_ attempt: NotificationEntry) -> String? {
        if let answer = attempt.answer { return answer }
        let failure = [attempt.code, attempt.message].compactMap(\.self).filter { !$0.isEmpty }.joined(separator: ": ")
        let parts = [failure, attempt.reason ?? ""].filter { !$0.isEmpty }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
