import ArgumentParser
import EventLog
import Runtime
import Storage

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes all events as CloudEvents 1.0, one JSON object per line.",
        discussion: """
            The lines hold all that `event-log import` needs to make the same log again, hash for hash.
            Example: event-log export --format cloudevents > events.jsonl
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case cloudevents }

    @Option(help: "How events are written.") var format = Format.cloudevents
    @Option(help: "Only events after this position.") var after: UInt64 = 0
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let scanner = try options.scanner()
        // What comes meanwhile is for the next export.
        let head = try scanner.head()
        var line = ProgressLine("export", unit: "events", options: options)
        var position = Position(after)
        while position < head {
            let wanted = Int(clamping: min(1_000, head.value - position.value))
            let page = try scanner.read(after: position, limit: wanted)
            guard !page.events.isEmpty else { break }
            var text = ""
            for event in page.events {
                text += CloudEvent.line(event, hash: try scanner.hash(at: event.position)) + "\n"
            }
            try Output.write(text)
            position = page.scannedThrough
            line.update(position.value, of: head.value)
        }
    }
}
