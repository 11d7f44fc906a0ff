import ArgumentParser
import JSON
import Runtime

/// What is configured, and where it comes from.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Checks and shows the configuration.", subcommands: [Check.self, Show.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists everything that is wrong with config.yaml and the environment; exit 3 if anything is.",
            discussion: "Example: finops config check --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.stateDirectory()
            do {
                _ = try Configuration.load(directory)
                let message = "\(directory.configuration): nothing wrong"
                try Output.line(options.json ? JSONValue.object([.init("ok", true)]).prettyText : message)
            } catch let error as DocumentProblems {
                try error.report(asJSON: options.json)
                throw ExitCode(ExitStatus.problemFound.rawValue)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows every setting.", discussion: "Example: finops config show --origin")

        @OptionGroup var options: GlobalOptions
        @Flag(help: "Also say where each value comes from.") var origin = false

        func run() async throws {
            let configuration = try Configuration.load(try options.stateDirectory())
            var columns = [Table.Column("key"), Table.Column("value")]
            if origin || options.json { columns.append(Table.Column("origin")) }
            if !options.json { columns.append(Table.Column("summary", title: "meaning")) }
            let rows = Setting.all.map { setting in
                let value = configuration[setting.key]
                var row: [JSONValue] = [.string(setting.key), .string(value.text)]
                if origin || options.json { row.append(.string(value.origin.description)) }
                if !options.json { row.append(.string(setting.summary)) }
                return row
            }
            let rates = configuration.rates.map { rate in
                var row: [JSONValue] = [.string("rate \(rate.currency) from \(rate.from)"), .string(rate.rate)]
                if origin || options.json { row.append("config.yaml") }
                if !options.json { row.append("") }
                return row
            }
            try Table(columns, rows: rows + rates).write(options.json ? .json : .table)
        }
    }
}
