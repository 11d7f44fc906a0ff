import ArgumentParser
import JSON
import Runtime
import Vault

/// People: events know them by random ids, the vault by name.
struct PersonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "person", abstract: "Lists the people behind the ids in events.", subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists ids and names.", discussion: "Example: finops person list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.initialisedDirectory())
            var table = Table([.init("id"), .init("name")])
            table.rows = try await Person.all(in: vault).map { [.string($0.id), .string($0.name)] }
            try table.write(options.json ? .json : .table)
        }
    }
}
