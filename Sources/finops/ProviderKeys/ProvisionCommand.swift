import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Stages
import Vault

extension ProjectCommand {
    struct Provision: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a project and a key at the provider, for the calls of one project of ours.",
            discussion: """
                With the admin key of a connected account it makes a project there, a service account in it, and its \
                key, which goes into the vault and is never shown. The gateway then calls the provider with that key \
                for the calls of this project and for no others, and costs of the provider's project belong to it. The \
                same again goes on where it was interrupted, or changes nothing.
                Example: finops project provision chatbot --account acme
                """)

        @Argument(help: "The project's name.") var project: String
        @Option(help: "The connected account whose admin key is used.") var account: String
        @Option(help: "What the gateway calls by that key (default: the project's name).") var upstream: String?
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let project = try givenName(project, field: "project")
            let account = try givenName(account, field: "--account")
            let upstream = try upstreamName(upstream ?? project.text, field: upstream == nil ? "project" : "--upstream")
            let directory = try options.global.initialisedDirectory()
            let vault = try SecretStore.local(of: directory)
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let lock = try ProvisionBook.lock(directory)
                defer { withExtendedLifetime(lock) {} }
                let administration = try await ProviderDoor(session: session, vault: vault)
                    .administration(of: account.text)
                let book = ProvisionBook(
                    session: session, vault: vault, upstream: upstream.text, reason: options.reason)
                let begun = try await book.begin(project.text, account: account.text)
                let provision: ProvisionRegister.Provision
                do {
                    provision = try await Provisioner(administration, book.pages).make(
                        begun, isKeyKept: try book.isKeyKept)
                } catch let failure
                    as SourceFailure
                {
                    throw CommandFailure.of(
                        failure, "provisioning \"\(upstream)\" is not finished", hint: try await book.left())
                }
                let isNew = try await book.link(provision, project)
                return Self.answer(provision, changed: begun != provision || isNew)
            }
            try answer.print(options.global)
        }

        private static func answer(_ provision: ProvisionRegister.Provision, changed: Bool) -> Answer {
            let (started, account) = (provision.started, provision.account)
            let key = account?.keyMask ?? ""
            return Answer(
                changed: changed,
                "calls of project \"\(started.project)\" go to \(provision.projectID ?? "") with key \(key) as "
                    + "\(started.upstream)",
                [
                    .init("project", .string(started.project)), .init("upstream", .string(started.upstream)),
                    .init("account", .string(started.account)), .init("provider_name", .string(provision.name)),
                    .init("provider_project_id", JSONValue(provision.projectID)),
                    .init("service_account_id", JSONValue(account?.serviceAccountID)),
                    .init("provider_key_id", JSONValue(account?.providerKeyID)), .init("key", .string(key)),
                ])
        }
    }

    struct Deprovision: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes back what was provisioned: deletes the key, archives the provider's project.",
            discussion: """
                Both are final. Without --yes it only says what would stop. The gateway stops calling it first. The \
                same again goes on where it was interrupted.
                Example: finops project deprovision --upstream chatbot --yes --reason "team is gone"
                """)

        @Option(help: "What was provisioned.") var upstream: String
        @Flag(help: "Do it.") var yes = false
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let upstream = try upstreamName(upstream, field: "--upstream")
            let directory = try options.global.initialisedDirectory()
            let vault = try SecretStore.local(of: directory)
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let lock = try ProvisionBook.lock(directory)
                defer { withExtendedLifetime(lock) {} }
                let book = ProvisionBook(
                    session: session, vault: vault, upstream: upstream.text, reason: options.reason)
                guard let provision = try await book.state() else { return try await nothing(book, upstream) }
                let administration = try await ProviderDoor(session: session, vault: vault)
                    .administration(of: provision.started.account)
                let provisioner = Provisioner(administration, book.pages)
                do {
                    guard yes else { throw try await unconfirmed(provision, provisioner, book) }
                    try await book.unlink()
                    try await provisioner.withdraw(provision, reason: options.reason)
                } catch let failure as SourceFailure {
                    throw CommandFailure.of(
                        failure, "\"\(upstream)\" is not taken back yet", hint: try await book.left())
                }
                return Answer(
                    changed: true, "\(upstream) is taken back: its key is deleted, its provider project archived",
                    [
                        .init("upstream", .string(upstream.text)),
                        .init("provider_project_id", JSONValue(provision.projectID)),
                    ])
            }
            try answer.print(options.global)
        }

        /// The rest of a run that was interrupted at its very end.
        private func nothing(_ book: ProvisionBook, _ upstream: GivenName) async throws -> Answer {
            guard try await book.wasEver() else { throw ProvisionRejection.unknown }
            return Answer(
                changed: false, "\(upstream) is taken back already", [.init("upstream", .string(upstream.text))])
        }

        private func unconfirmed(
            _ provision: ProvisionRegister.Provision, _ provisioner: Provisioner, _ book: ProvisionBook
        ) async throws -> CommandFailure {
            let others = try await provisioner.others(provision)
            let keys = try await book.session.store.gatewayKeys().filter {
                $0.issued.project == provision.started.project
                    && ![.disabled, .expired].contains($0.status(at: book.session.now))
            }
            var words = [
                "project \(provision.projectID ?? provision.name) would be archived, its key deleted, for ever"
            ]
            if !keys.isEmpty {
                words.append("keys of the gateway that call it: \(keys.map(\.issued.key).joined(separator: ", "))")
            }
            if !others.isEmpty {
                words.append("other keys in it that would stop: \(others.map(\.id).joined(separator: ", "))")
            }
            return CommandFailure(
                .usage, words.joined(separator: "; "), hint: "nothing was changed: confirm it with --yes")
        }
    }
}
