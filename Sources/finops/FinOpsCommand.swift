import ArgumentParser
import Runtime

/// The operator's command.
@main struct FinOpsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finops",
        abstract: "Sets up, runs and looks after a cost pipeline.",
        subcommands: administrationCommands)

    static func main() async { await runProgram() }
}
