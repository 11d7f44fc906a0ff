import ArgumentParser
import FinOps
import Runtime

@main
struct ThresholdWatcherCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "threshold-watcher",
        abstract: "Finds out which thresholds costs have crossed, and which crossings were taken back.",
        discussion: """
            `finops threshold set` arms a threshold. What is found goes to the log, and the notifier tells people. \
            Where the threshold's policy is disable-keys, the keys of its scope are disabled once its limit is spent. \
            Examples:
              threshold-watcher run --dir D
              threshold-watcher catch-up --dir D
              threshold-watcher dry-run --project chatbot --daily 10.00 --from 2026-11-01 --to 2026-11-30
            """,
        subcommands: [RunCommand.self, CatchUpCommand.self, DryRunCommand.self])

    static func main() async { await runProgram() }
}

extension ThresholdRejection: ExitStatusProviding {
    /// As `finops threshold set` has it: a limit that cannot be is bad usage.
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}
