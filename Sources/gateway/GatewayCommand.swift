import ArgumentParser
import Runtime

@main
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract:
            "Calls AI providers for applications: with a key per project, each call's cost, and a switch that works.")

    static func main() async { await runProgram() }
}
