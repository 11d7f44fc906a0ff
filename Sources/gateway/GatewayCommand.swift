import ArgumentParser
import Runtime

@main
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract:
            "Calls AI providers for applications: with a key per project, each call's cost, and a switch that works.",
        discussion: """
            Where it listens, `finops status` shows. Example:
              gateway run --dir D
            """,
        subcommands: [RunCommand.self])

    static func main() async { await runProgram() }
}
