import ArgumentParser
import EventLog
import FinOps
import Runtime
import Stages

/// Collects past days and waits until they are committed.
struct BackfillCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Collect past days; returns when they are committed.",
        discussion: """
            Days are business days, both included; every UTC day they touch is collected, up to now. Example:
              ingest-openai backfill --from 2026-11-01 --to 2026-11-20
            """)

    @Option(help: "First day, such as 2026-11-01.", transform: day(fromArgument:)) var from: Day
    @Option(help: "Last day; the default is the first.", transform: day(fromArgument:)) var to: Day?
    @Option(help: "Only the account of this name.") var name: String?
    @OptionGroup var global: GlobalOptions
    @OptionGroup var provider: ProviderOptions

    func validate() throws {
        if let to, to < from { throw ValidationError("--to \(to) lies before --from \(from)") }
    }

    func run() async throws {
        try await CollectionSession(global, provider).collect(.backfill, from...(to ?? from), name: name)
    }
}

/// Does a day's run now.
struct OnceCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "once", abstract: "Do one daily run now: a day, and the days before it that are read again.",
        discussion: "The default is yesterday in the business zone. Example: ingest-openai once --date 2026-11-20")

    @Option(help: "The day.", transform: day(fromArgument:)) var date: Day?
    @Option(help: "Only the account of this name.") var name: String?
    @OptionGroup var global: GlobalOptions
    @OptionGroup var provider: ProviderOptions

    func run() async throws {
        let session = try CollectionSession(global, provider)
        let day = date ?? session.calendar.day(of: session.clock.now()).advanced(by: -1)
        let first = day.advanced(by: -session.configuration.trailingDays)
        try await session.collect(.once, first...day, name: name)
    }
}

@Sendable private func day(fromArgument text: String) throws -> Day {
    guard let day = Day(text) else { throw ValidationError("\"\(text)\" is no day; write 2026-11-20") }
    return day
}
