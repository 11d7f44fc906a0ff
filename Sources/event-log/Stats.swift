import ArgumentParser
import Digest
import EventLog
import JSON
import Runtime
import Storage

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Counts what the log holds.", discussion: "Example: event-log stats --dir D")

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let statistics = try options.scanner().statistics()
        let types = Table(
            [.init("type"), .init("events", .right), .init("payload_bytes", title: "payload bytes", .right)],
            rows: statistics.types.map { [.string($0.type.text), .integer($0.events), .integer($0.payloadBytes)] })
        let figures: [JSONValue.Member] = [
            .init("events", .integer(statistics.head.position.value)), .init("streams", .integer(statistics.streams)),
            .init("producers", .integer(statistics.producers)),
            .init("first_recorded", JSONValue(statistics.firstRecorded.map(\.rfc3339))),
            .init("last_recorded", JSONValue(statistics.lastRecorded.map(\.rfc3339))),
            .init("file_bytes", .integer(statistics.fileBytes)), .init("head", .string(hexText(statistics.head.hash))),
        ]
        if options.json {
            return try Output.line(JSONValue.object(figures + [.init("types", .array(types.objects))]).prettyText)
        }
        try Table([.init("figure"), .init("value")], rows: figures.map { [.string($0.name), $0.value] }).write(.table)
        try Output.line("")
        try types.write(.table)
    }
}
