import ArgumentParser
import EventLog
import JSON
import Runtime
import Storage

/// The newest events, and those that come.
struct Tail: CancellableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the last events, and with --follow those that come.",
        discussion: """
            With --json one event per line.
            Example: event-log tail -n 0 --follow --type run.finished --type run.failed
            """)

    /// How often the file is asked whether something was committed.
    private static let pause = Duration.milliseconds(100)

    @OptionGroup var selection: EventSelection
    @Option(name: [.customShort("n"), .customLong("lines")], help: "How many events to begin with.") var lines = 20
    @Flag(name: .shortAndLong, help: "Go on with new events until interrupted.") var follow = false
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if lines < 0 { throw ValidationError("-n \(lines): a number of events cannot be negative") }
    }

    func run() async throws {
        let filter = try selection.filter()
        var opened = try options.existingScanner()
        while follow, opened == nil {
            try await Task.sleep(for: Self.pause)
            opened = try options.existingScanner()
        }
        let scanner = try opened ?? SQLiteLogScanner.empty()
        var position = try printLast(scanner, filter)
        var change: Int64?
        while follow, try !isOver(filter, at: position, scanner) {
            try Task.checkCancellation()
            let counter = try scanner.changeCounter()
            if counter != change {
                let next = try scanner.scan(filter, after: position) {
                    try Output.line(line($0))
                    return true
                }
                guard let next else { return }
                position = next
                change = counter
            } else {
                // SQLite wakes nobody; looking at its change counter costs a page.
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    /// Whether nothing that is still to come can be in the selection.
    private func isOver(_ filter: EventFilter, at position: Position, _ scanner: SQLiteLogScanner) throws -> Bool {
        if let before = filter.before, position.next >= before { return true }
        guard filter.until != nil, position > .start else { return false }
        return try scanner.read(after: Position(position.value - 1), limit: 1).events.first.map(filter.ends) ?? false
    }

    /// - Returns: the position to follow from.
    private func printLast(_ scanner: SQLiteLogScanner, _ filter: EventFilter) throws -> Position {
        let head = try scanner.head()
        // Filters may let little through, so the window grows until it holds enough or all.
        var window = UInt64(max(lines, 1)) * 4
        var found: [RecordedEvent] = []
        while true {
            let start = max(selection.after ?? 0, head.value > window ? head.value - window : 0)
            found = []
            try scanner.visit(filter, after: Position(start)) {
                guard $0.position <= head else { return false }
                found.append($0)
                if found.count > 2 * max(lines, 1) { found.removeFirst(found.count - lines) }
                return true
            }
            if found.count >= lines || start == selection.after ?? 0 { break }
            window = window.multipliedReportingOverflow(by: 16).partialValue
        }
        for event in found.suffix(lines) { try Output.line(line(event)) }
        return max(head, Position(selection.after ?? 0))
    }

    private func line(_ event: RecordedEvent) -> String {
        let text = EventText(event: event)
        if options.json { return text.json.text }
        return text.row(dataWidth: 100).map { Table.plainText($0).withoutControls }.joined(separator: "  ")
    }
}
