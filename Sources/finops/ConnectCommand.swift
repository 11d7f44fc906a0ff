import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Secret
import Vault

/// Provider accounts that are collected.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "Connects, lists and removes provider accounts.",
        subcommands: [OpenAI.self, List.self, Remove.self])

    /// The generation of OpenAI's interface that an account is read by; never both for one account.
    enum API: String, ExpressibleByArgument, CaseIterable {
        case organization, legacy
    }

    struct OpenAI: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "openai", abstract: "Connects an OpenAI organisation.",
            discussion: """
                The admin key goes into the vault, encrypted; it is read from a file or from standard input, never \
                from the command line. The same again changes nothing; another key replaces the old one.
                Examples:
                  finops connect openai --name acme --key-file admin-key.txt
                  pass show openai/admin | finops connect openai --name acme --key-file -
                """)

        @Option(help: "A name for the account, such as the organisation's.") var name: String
        @Option(name: .customLong("base-url"), help: "What stands before /organization/… (default: OpenAI's own).")
        var baseURL: String?
        @Option(name: .customLong("key-file"), help: "File that holds the admin key; - for standard input.")
        var keyFile: String
        @Option(help: "organization (admin key), or legacy for the older /v1/usage?date=.") var api: API?
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let account = try accountName(name)
            let address = try baseURL.map(Self.address)
            let key = try givenKey(from: keyFile)
            if address?.isExposed == true {
                Output.message("warning: the key travels unencrypted to \(address?.text ?? ""): use https://")
            }
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global) { session in
                let stream = StreamName.connection(provider: Provider.openai.rawValue, account: account.text)
                let known = try await session.store.fold(stream, with: ConnectionRegister.self).state
                let secretID = "openai-\(account)"
                let kept = try await session.keep(
                    key, id: secretID, purpose: SecretPurpose.providerCredential, in: vault, reason: options.reason)
                var made = WireConnectionMade()
                made.provider = Provider.openai.rawValue
                made.account = account.text
                // What is not said stays as it was.
                made.baseURL = address?.text ?? known?.baseURL ?? ProviderAddress.openAI.text
                made.api = api?.rawValue ?? known?.api ?? API.organization.rawValue
                made.secretID = secretID
                made.keyMask = key.mask
                made.reason = options.reason
                let events = try await session.decide(
                    ConnectionRegister.self, on: stream, .connect(made, keyChanged: kept.hasChanged))
                let connections = try await session.store.connections(of: made.provider)
                for upstream in try await session.store.upstreams() {
                    upstream.warnOfDoubleCounting(beside: connections)
                }
                return Self.answer(made, changed: !events.isEmpty)
            }
            try answer.print(options.global)
            if answer.hasChanged, !options.global.quiet, !options.global.json {
                Output.message("test it with: ingest-openai check")
            }
        }

        private static func answer(_ made: WireConnectionMade, changed: Bool) -> Answer {
            Answer(
                changed: changed, "\(made.account) at \(made.baseURL) is connected with key \(made.keyMask)",
                [
                    .init("provider", .string(made.provider)), .init("name", .string(made.account)),
                    .init("base_url", .string(made.baseURL)), .init("api", .string(made.api)),
                    .init("key", .string(made.keyMask)),
                ])
        }

        private static func address(_ text: String) throws -> ProviderAddress {
            do { return try ProviderAddress(text) } catch { throw CommandFailure(.usage, "--base-url: \(error)") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the connected accounts.", discussion: "Example: finops connect list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            var table = Table([
                .init("provider"), .init("name"), .init("base_url", title: "address"), .init("api"), .init("key"),
            ])
            for made in try await log.connections() {
                table.rows.append(
                    [made.provider, made.account, made.baseURL, made.api, made.keyMask].map(JSONValue.string))
            }
            try table.write(options.json ? .json : .table)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stops collecting an account and removes its key; what was collected stays.",
            discussion: "Example: finops connect remove openai --name acme --reason \"contract ended\"")

        @Argument(help: "The provider.") var provider: Provider = .openai
        @Option(help: "The account's name.") var name: String
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let account = try accountName(name)
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global) { session in
                let stream = StreamName.connection(provider: provider.rawValue, account: account.text)
                let secretID = try await session.store.fold(stream, with: ConnectionRegister.self).state?.secretID
                let events = try await session.decide(
                    ConnectionRegister.self, on: stream,
                    .remove(provider: provider.rawValue, account: account.text, reason: options.reason))
                if let secretID { _ = try await session.forget(secretID, in: vault, reason: options.reason) }
                return Answer(
                    changed: !events.isEmpty, "\(account) is not collected any more",
                    [.init("provider", .string(provider.rawValue)), .init("name", .string(account.text))])
            }
            try answer.print(options.global)
        }
    }
}

extension EventReader {
    /// The accounts that are collected: of one provider, or of all.
    func connections(of provider: String? = nil) async throws -> [WireConnectionMade] {
        var all: [WireConnectionMade] = []
        for summary in try await allStreams(prefix: provider.map { "connection-\($0)-" } ?? "connection-") {
            if let made = try await fold(summary.stream, with: ConnectionRegister.self).state { all.append(made) }
        }
        return all
    }
}

/// An account's name is part of a secret's id, which is shorter than other names.
private func accountName(_ text: String) throws -> GivenName {
    let name = try givenName(text, field: "--name")
    guard name.text.utf8.count <= 50 else {
        throw CommandFailure(
            .usage, "--name has \(name.text.utf8.count) bytes; use at most 50 (a Hangul syllable has 3)")
    }
    return name
}
