import ArgumentParser
import EventLog
import JSON
import Runtime
import Storage

struct ListStreams: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "Lists the streams and how many events each has.",
        discussion: "Example: event-log ls --prefix usage-acme-2026-11")

    @Option(help: "Only streams whose names begin so.") var prefix = ""
    @Option(help: "Only streams after this name, to go on where a list ended.") var after: String?
    @Option(help: "At most so many (default: all).") var limit: Int?
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
    }

    func run() throws {
        let scanner = try options.scanner()
        var table = Table([.init("stream"), .init("version", title: "events", .right)])
        var last = after
        while limit.map({ table.rows.count < $0 }) ?? true {
            let wanted = min(EventLimits.readEvents, limit.map { $0 - table.rows.count } ?? .max)
            let page = try scanner.streams(prefix: prefix, after: last, limit: wanted)
            guard let end = page.last else { break }
            table.rows += page.map { [.string($0.stream.text), .integer($0.version.value)] }
            last = end.stream.text
        }
        try table.write(options.json ? .json : .table)
    }
}
