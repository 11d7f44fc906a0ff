import ArgumentParser
import EventLog
import JSON
import Runtime
import Storage

struct View: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints events in log order.",
        discussion: """
            Examples:
              event-log view --after 1000 --limit 20
              event-log view --stream usage-acme-2026-11-20 --json
              event-log view --since 2026-11-20 --until 2026-11-21 --type run.failed
            """)

    @OptionGroup var selection: EventSelection
    @Option(help: "At most so many events.") var limit = 100
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
    }

    func run() throws {
        var events: [EventText] = []
        try options.scanner().visit(try selection.filter(), after: Position(selection.after ?? 0)) {
            if events.count < limit { events.append(EventText(event: $0)) }
            return events.count < limit
        }
        if options.json { return try Output.line(JSONValue.array(events.map(\.json)).prettyText) }
        try Table(EventText.columns, rows: events.map { $0.row(dataWidth: 80) }).write(.table)
    }
}
