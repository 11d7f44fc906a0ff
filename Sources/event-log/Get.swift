import ArgumentParser
import Digest
import EventLog
import JSON
import Runtime
import Storage

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints one event in full.", discussion: "Example: event-log get 4711")

    @Argument(help: "Position of the event.") var position: UInt64
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let scanner = try options.scanner()
        guard let (event, hash) = try scanner.event(at: Position(position)) else {
            throw CommandFailure(
                .failure, "there is no event at position \(position); the log ends at \(try scanner.head())")
        }
        guard case .object(let members) = EventText(event: event).json else { return }
        try Output.line(JSONValue.object(members + [.init("hash", .string(hexText(hash)))]).prettyText)
    }
}
