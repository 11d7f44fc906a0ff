import ArgumentParser
import Runtime

@main
struct AttributorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attributor",
        abstract: "Assigns costs to teams and projects, and spreads bills over hours, keys and models.",
        discussion: """
            It answers mappings with assignments and bills with allocations. Examples:
              attributor run --dir D
              attributor catch-up --dir D
            """,
        subcommands: [RunCommand.self, CatchUpCommand.self])

    static func main() async { await runProgram() }
}
