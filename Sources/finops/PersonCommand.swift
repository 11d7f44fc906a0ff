import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Secret
import Vault

/// People: events know them by random ids, the vault by name.
struct PersonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "person", abstract: "Adds, lists and forgets the people behind the ids in events.",
        subcommands: [Add.self, Token.self, List.self, Forget.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a person who does not act as a user of this machine, and shows their token this once.",
            discussion: """
                With the token, in a file, they act by --as ID --token-file FILE. Only an administrator may add \
                people; the first person of the directory is one.
                Example: finops person add "Kim Min-jun" --administrator --reason "second approver"
                """)

        @Argument(help: "The person's name; it stays in the vault.") var name: String
        @Flag(help: "They may approve what others ask for.") var administrator = false
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let name = try givenName(name, field: "name")
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            try await AdministrationSession.run(options.global, as: acting) { session in
                // Who is one only by being the first stays one when others come.
                for known in try await session.checkAdministrator(in: vault) {
                    try await grant(known, in: session, vault)
                }
                let person = try await Person.add(name: name.text, to: vault, at: session.now.seconds)
                if administrator { try await grant(person.id, in: session, vault) }
                try await person.makeToken(in: vault, at: session.now.seconds)
                    .show(of: person, isAdministrator: administrator, options.global)
            }
        }

        private func grant(_ person: String, in session: AdministrationSession, _ vault: SecretStore) async throws {
            _ = try await session.keep(
                Person.administratorRole, id: Person.roleID(of: person), purpose: SecretPurpose.personRole, in: vault,
                reason: options.reason)
        }
    }

    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a new token for a person; the old one is known no more.",
            discussion: "Example: finops person token 5f2a… --reason \"lost\"")

        @Argument(help: "The person's id.") var id: String
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            try await AdministrationSession.run(options.global, as: acting) { session in
                let administrators = try await session.checkAdministrator(in: vault)
                guard let person = try await Person.find(id: id, in: vault) else {
                    throw CommandFailure(
                        .failure, "the vault knows no person \(id)", hint: "`finops person list` shows whom it knows")
                }
                try await person.makeToken(in: vault, at: session.now.seconds)
                    .show(of: person, isAdministrator: administrators.contains(person.id), options.global)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists ids, names and roles.", discussion: "Example: finops person list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.initialisedDirectory())
            let administrators = try await Person.administrators(in: vault)
            var table = Table([.init("id"), .init("name"), .init("role")])
            table.rows = try await Person.all(in: vault).map { person in
                [
                    .string(person.id), .string(person.name),
                    administrators.contains(person.id) ? "administrator" : "member",
                ]
            }
            table.rows += try Person.forgotten(in: vault).map { [.string($0), .null, "forgotten"] }
            try table.write(options.json ? .json : .table)
        }
    }

    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroys what names a person; what they did stays, under an id that leads nowhere.",
            discussion: """
                The log is not changed: it never held the name. Backups made before hold it, encrypted, as long as \
                they are kept. Only an administrator may forget people, and not the last administrator.
                Example: finops person forget 5f2a… --reason "left the company"
                """)

        @Argument(help: "The person's id.") var id: String
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try options.checkReason()
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let administrators = try await session.checkAdministrator(in: vault)
                guard administrators != [id] else {
                    throw CommandFailure(
                        .failure, "\(id) is the only administrator", hint: "finops person add NAME --administrator")
                }
                // Who is one only by being the first stays one; nobody becomes it because others are forgotten.
                for known in administrators where known != id {
                    _ = try await session.keep(
                        Person.administratorRole, id: Person.roleID(of: known), purpose: SecretPurpose.personRole,
                        in: vault, reason: options.reason)
                }
                guard let wasThere = try await Person.forget(id: id, in: vault, at: session.now.seconds) else {
                    throw CommandFailure(
                        .failure, "the vault knows no person \(id)", hint: "`finops person list` shows whom it knows")
                }
                let hadRole = try await session.forget(Person.roleID(of: id), in: vault, reason: options.reason)
                let events = try await session.decide(
                    PersonRegister.self, on: .people, .init(id: id, reason: options.reason))
                return Answer(
                    changed: wasThere || hadRole || !events.isEmpty, "\(id) is forgotten", [.init("id", .string(id))])
            }
            try answer.print(options.global)
            if !options.global.quiet, !options.global.json {
                Output.message(
                    "backups made before still hold the name: remove them, or rotate the master key and keep no copy of the old one"
                )
            }
        }
    }
}

extension AdministrationSession {
    /// - Returns: who is an administrator.
    /// - Throws: `CommandFailure` with `notAuthorised` if whoever acts is none; `VaultError`.
    nonisolated func checkAdministrator(in vault: SecretStore) async throws -> Set<String> {
        let administrators = try await Person.administrators(in: vault)
        guard administrators.contains(actor) else {
            throw CommandFailure(
                .notAuthorised, "only an administrator may do that", hint: "`finops person list` shows who is one")
        }
        return administrators
    }
}

extension Secret {
    /// Prints a person's token: it is data, and this is the only time.
    fileprivate func show(of person: Person, isAdministrator: Bool, _ options: GlobalOptions) throws {
        let text = withUTF8 { String(decoding: $0, as: UTF8.self) }
        guard options.json else {
            Output.message("\(person.id) is known by this token, which is shown this once:")
            return try Output.line(text)
        }
        try Output.line(
            JSONValue.object([
                .init("changed", true), .init("id", .string(person.id)),
                .init("role", isAdministrator ? "administrator" : "member"), .init("token", .string(text)),
            ]).text)
    }
}
