import ArgumentParser
import EventLog
import JSON
import Runtime
import Storage

struct Gaps: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks for missing positions and stream versions; exit 3 if there are any.",
        discussion: "Example: event-log gaps --dir D")

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let gaps = try options.scanner().gaps()
        let table = Table(
            [
                .init("stream"), .init("first_missing", title: "first missing", .right),
                .init("last_missing", title: "last missing", .right),
            ],
            rows: gaps.map {
                [JSONValue($0.stream?.text), .integer($0.missing.lowerBound), .integer($0.missing.upperBound)]
            })
        if options.json || !gaps.isEmpty { try table.write(options.json ? .json : .table) }
        if !gaps.isEmpty { throw CommandFailure(.problemFound, "\(gaps.count) gaps: events are missing") }
        if !options.json { Output.message("no gaps") }
    }
}
