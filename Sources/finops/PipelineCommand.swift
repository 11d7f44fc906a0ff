import ArgumentParser
import JSON
import Runtime

/// What a pipeline file says.
struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Proves and draws a pipeline file.", subcommands: [Check.self, Graph.self])

    /// The file that was named, else the one of the state directory.
    static func load(_ options: GlobalOptions) throws -> Topology {
        try Topology.load(try options.pipeline ?? options.stateDirectory().pipeline, knownTypes: .finOps)
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Proves that a pipeline can work; exit 3 and every mistake if it cannot.",
            discussion: "Example: finops pipeline check --pipeline Pipelines/demo.yaml")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            do {
                let topology = try PipelineCommand.load(options)
                let message = "\(topology.file): \(topology.processes.count) processes, nothing wrong"
                try Output.line(options.json ? JSONValue.object([.init("ok", true)]).prettyText : message)
            } catch let error as DocumentProblems {
                try error.report(asJSON: options.json)
                throw ExitCode(ExitStatus.problemFound.rawValue)
            }
        }
    }

    struct Graph: AsyncParsableCommand {
        enum Language: String, ExpressibleByArgument, CaseIterable { case mermaid, dot }

        static let configuration = CommandConfiguration(
            abstract: "Draws a pipeline.",
            discussion: "Example: finops pipeline graph --format dot | dot -Tsvg > pipeline.svg")

        @OptionGroup var options: GlobalOptions
        @Option(help: "mermaid or dot.") var format = Language.mermaid

        func run() async throws {
            let topology = try PipelineCommand.load(options)
            let drawing = format == .dot ? topology.dot : topology.mermaid
            if options.json {
                return try Output.line(
                    JSONValue.object([.init(format.rawValue, .string(drawing))]).prettyText)
            }
            try Output.write(drawing)
        }
    }
}

extension DocumentProblems {
    /// Prints what is wrong: as data, because it is the answer of a check.
    func report(asJSON: Bool) throws {
        guard asJSON else { return try Output.line(description) }
        let entries = problems.map { problem in
            JSONValue.object([
                .init("file", .string(problem.file)), .init("line", problem.line.map { .integer($0) } ?? .null),
                .init("message", .string(problem.message)),
            ])
        }
        try Output.line(JSONValue.object([.init("ok", false), .init("problems", .array(entries))]).prettyText)
    }
}
