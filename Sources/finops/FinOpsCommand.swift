import ArgumentParser
import Runtime

/// The operator's command.
@main struct FinOpsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finops",
        abstract: "Sets up, runs and looks after a cost pipeline.",
        subcommands: operationCommands + administrationCommands)

    private static let operationCommands: [any ParsableCommand.Type] = [
        UpCommand.self, StatusCommand.self, DoctorCommand.self, PipelineCommand.self, ConfigCommand.self,
    ]

    static func main() async { await runProgram() }
}
