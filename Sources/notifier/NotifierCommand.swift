import ArgumentParser
import Runtime

@main
struct NotifierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifier",
        abstract: "Takes alerts to Slack, mail and Sentry, and notices when something falls silent.",
        discussion: """
            Channels are set with `finops channel set`. Every attempt is in the log: `reporter notifications` shows \
            them, and what could not be delivered is in `finops dead-letters`. Examples:
              notifier run --dir D
              notifier test --channel slack --dir D
            """,
        subcommands: [RunCommand.self, TestCommand.self])

    static func main() async { await runProgram() }
}
