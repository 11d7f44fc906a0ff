import ArgumentParser
import Projections
import Runtime

@main
struct ReporterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reporter",
        abstract: "Says what was spent, by whom, on what, and how sure that is.",
        discussion: """
            Days are days of the business zone, both ends inclusive. Examples:
              reporter summary --dir D
              reporter costs --by team,model --from 2026-11-16 --to 2026-11-22 --dir D --json
              reporter costs --by day --last 30d --team search
              reporter calls --last 1h
              reporter alerts --state open
              reporter explain --from 2026-11-20 --to 2026-11-20 --key key_abc
            """,
        subcommands: [
            SummaryCommand.self, CostsCommand.self, RecentCommand.self, CallsCommand.self, KillsCommand.self,
            ReconcileCommand.self, RestatementsCommand.self, CorrectionsCommand.self, RunsCommand.self,
            AuditCommand.self, AlertsCommand.self, NotificationsCommand.self, UnattributedCommand.self,
            ExplainCommand.self,
        ])

    static func main() async { await runProgram() }
}

extension ProjectionFailure: ExitStatusProviding {
    var exitStatus: ExitStatus { isRetriable ? .tryAgain : .failure }
}
