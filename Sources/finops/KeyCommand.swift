import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// Providers' keys and the projects that pay for them.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Maps providers' keys to projects.", subcommands: [Map.self, List.self])

    struct Map: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says which project a key pays for.",
            discussion: """
                Without --from it holds from the beginning for a key never mapped, else from today.
                Example: finops key map --provider openai --provider-key-id key_abc --project chatbot
                """)

        @Option(name: .customLong("provider-key-id"), help: "The provider's id of the key, never the key itself.")
        var id: String
        @OptionGroup var change: MappingChange

        func run() async throws {
            try await change.apply(to: .key(try providerID(id, option: "--provider-key-id")))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists mapped keys and provider projects, each with the project it pays for and since when.",
            discussion: "Example: finops key list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let calendar = try BusinessCalendar.of(directory)
            let log: some EventReader = .local(of: directory)
            var table = Table([.init("provider"), .init("kind"), .init("id"), .init("project"), .init("from")])
            for provider in Provider.allCases {
                let stream = StreamName.mapping(provider: provider.rawValue)
                let mappings = try await log.fold(stream, with: MappingRegister.self).state
                let rows = mappings.flatMap { subject, choice in
                    choice.statements.map { statement -> [JSONValue] in
                        let (kind, id) =
                            switch subject {
                            case .key(let id): ("key", id)
                            case .providerProject(let id): ("provider-project", id)
                            }
                        let from = statement.from.map { calendar.day(of: Timestamp(seconds: $0)).description }
                        return [
                            .string(provider.rawValue), .string(kind), .string(id), .string(statement.value),
                            JSONValue(from),
                        ]
                    }
                }
                // Statements of one subject stay in the order in which they were made: sorting is stable.
                table.rows += rows.sorted { ($0[1].text, $0[2].text) < ($1[1].text, $1[2].text) }
            }
            try table.write(options.json ? .json : .table)
        }
    }
}
