import ArgumentParser
import Foundation
import JSON
import Runtime

@main
struct Sandbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract:
            "Stands in for OpenAI's organization APIs, Slack and a mailbox on loopback, with a real trace as usage.",
        discussion: """
            The rule that makes a week of the trace is written at the type Week. Examples:
              sandbox serve --port 8080
              sandbox serve --fault 429,path=/costs,times=2,retry_after=1 --port-file /tmp/address
              sandbox inbox --address http://127.0.0.1:8080
              sandbox expected --from 2026-11-09 --to 2026-11-15 --by project,model
            """,
        subcommands: [Serve.self, InboxCommand.self, ExpectedCommand.self, Demo.self])

    static func main() async { await runProgram() }
}

/// Which trace is replayed, in which week, and how late it shows: the same for serving it and for counting it.
struct ProviderOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("A trace in the columns \(Trace.header), instead of the one compiled in.", valueName: "file")
    )
    var trace: String?

    @Option(help: "The Monday of the week that the trace is spread over, in UTC+9.")
    var week = CivilDay("2026-11-09")!

    @Option(help: "Seconds from a call until it shows in usage.")
    var usageDelay: Int64 = 300

    @Option(help: "Seconds from a call until it shows in costs.")
    var costsDelay: Int64 = 5 * 3_600

    @Flag(help: "Serve the eight kinds of usage that the trace does not have, too.")
    var allKinds = false

    func provider() throws -> Provider {
        guard (week.number + 3) % 7 == 0 else { throw ValidationError("\(week) is not a Monday") }
        let calls = try trace.map(Trace.file) ?? Trace.embedded()
        return Provider(
            week: Week(monday: week, calls: calls, allKinds: allKinds), usageDelay: usageDelay, costsDelay: costsDelay)
    }
}

struct ExpectedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expected", abstract: "Prints, as JSON, the totals that a pipeline must come to.",
        discussion: "Example: sandbox expected --from 2026-11-09 --to 2026-11-15 --by project,model")

    @OptionGroup var options: ProviderOptions
    @Option(help: "The first business day.") var from = CivilDay("2026-11-09")!
    @Option(help: "The last business day, inclusive.") var to = CivilDay("2026-11-15")!
    @Option(help: "project, key, model, tier, batch, day: several with commas.") var by = ""
    @Option(help: "The business zone, an IANA name.") var zone = "Asia/Seoul"
    @Option(help: "Count what is published at this RFC 3339 time; everything, if not given.") var at: String?

    func run() throws {
        let groups = try by.split(separator: ",").map { word in
            guard let group = Expected.By(rawValue: String(word)) else {
                throw ValidationError("\(word) is not something to group by")
            }
            return group
        }
        guard let zone = TimeZone(identifier: zone) else { throw ValidationError("\(zone) is not a time zone") }
        let now = try at.map { text in
            guard let time = SandboxClock.seconds(rfc3339: text) else { throw ValidationError("\(text) is not a time") }
            return time
        }
        let expected = Expected(provider: try options.provider(), from: from, to: to, zone: zone, now: now ?? .max / 2)
        try FileHandle.standardOutput.write(contentsOf: Data((expected.report(by: groups).prettyText + "\n").utf8))
    }
}
