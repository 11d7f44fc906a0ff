import ArgumentParser
import Runtime

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves the log: its only writer.")

    @OptionGroup var options: GlobalOptions

    func run() async throws { throw CommandFailure(.failure, "serve is not part of this build") }
}
