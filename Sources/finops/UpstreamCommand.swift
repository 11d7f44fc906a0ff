import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Secret
import Vault

/// What the gateway calls.
struct UpstreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstream", abstract: "Sets, removes and lists what the gateway calls, and with which key.",
        subcommands: [Set.self, Remove.self, List.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets an upstream: OpenAI, a compatible server, Azure OpenAI or Anthropic.",
            discussion: """
                The provider's key goes into the vault, encrypted; it is read from a file or from standard input, \
                never from the command line. What is not said stays as it was. An upstream with deployments is called \
                for their models only; others by the ones without.
                Examples:
                  finops upstream set openai --name main --key-file openai-key.txt
                  finops upstream set openai --name local --base-url http://127.0.0.1:8000/v1 --key-file key.txt --deployment llama-3=llama-3
                  finops upstream set azure --name eu --base-url https://acme.openai.azure.com --key-file - --deployment gpt-4o=prod-4o
                  finops upstream set azure --name us --base-url "https://acme.openai.azure.com/openai?api-version=2024-10-21" --key-file -
                  finops upstream set anthropic --name claude --key-file anthropic-key.txt --account acme
                """)

        @Argument(help: "openai (and whatever is compatible), azure or anthropic.") var provider:
            UpstreamRegister.Provider
        @Option(help: "A name for it.") var name: String
        @Option(
            name: .customLong("base-url"),
            help: "What stands before /chat/completions or /messages (default: the provider's own; azure has none).")
        var baseURL: String?
        @Option(name: .customLong("key-file"), help: "File that holds the provider's key; - for standard input.")
        var keyFile: String
        @Option(
            help:
                "Whose bill its calls are on: the name of a connected account (default: the only one at this address, or else the upstream's name)."
        )
        var account: String?
        @Option(name: .customLong("provider-key-id"), help: "The provider's id of the key, never the key itself.")
        var keyID: String?
        @Option(name: .customLong("provider-project-id"), help: "The provider's id of the key's project.")
        var projectID: String?
        @Option(help: "The only project whose calls it serves; it comes before what serves all (default: any).")
        var project: String?
        @Option(
            name: .customLong("deployment"), help: "MODEL=DEPLOYMENT: a model it serves, and as what; again for more.")
        var deployments: [String] = []
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let name = try upstreamName(name)
            let address = try baseURL.map(address)
            let given = try given()
            let key = try givenKey(from: keyFile)
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                try await session.checkNotProvisioned(name.text)
                let stream = StreamName.upstream(name.text)
                let known = try await session.store.fold(stream, with: UpstreamRegister.self).state
                let connections = try await session.store.connections(of: provider.rawValue)
                var set = try whole(given, name, address, known: known, connections)
                let projects = try await session.store.fold(.projects, with: ProjectRegister.self).state
                guard set.project.isEmpty || projects[set.project] != nil else {
                    throw AdministrationRejection.unknownProject(set.project, known: projects.keys.sorted())
                }
                // Refused before the vault changes.
                _ = try UpstreamRegister.decide(.set(set), known)
                let kept = try await session.keep(
                    key, id: set.secretID, purpose: SecretPurpose.upstreamKey, in: vault, reason: options.reason)
                set.secretVersion = UInt32(clamping: kept.version)
                set.keyMask = key.mask
                let events = try await session.decide(UpstreamRegister.self, on: stream, .set(set))
                set.warnOfDoubleCounting(beside: connections)
                return Answer(
                    changed: !events.isEmpty || kept.hasChanged,
                    "the gateway calls \(set.baseURL) with key \(set.keyMask) as \(set.name)", set.members)
            }
            try answer.print(options.global)
        }

        /// What the command line says; the rest is filled in from what is known.
        private func given() throws -> WireUpstreamSet {
            var given = WireUpstreamSet()
            given.provider = provider.rawValue
            if let account { given.account = try givenName(account, field: "--account").text }
            if let keyID { given.providerKeyID = try providerID(keyID, option: "--provider-key-id") }
            if let projectID { given.providerProjectID = try providerID(projectID, option: "--provider-project-id") }
            if let project { given.project = try givenName(project, field: "--project").text }
            given.deployments = try deployments.map(Self.deployment)
            given.reason = options.reason
            return given
        }

        private func whole(
            _ given: WireUpstreamSet, _ name: GivenName, _ address: ProviderAddress?, known: WireUpstreamSet?,
            _ connections: [WireConnectionMade]
        ) throws -> WireUpstreamSet {
            // Of another provider nothing is kept but the bill.
            let same = known.flatMap { $0.provider == given.provider ? $0 : nil }
            var set = given
            set.name = name.text
            guard let url = address?.text ?? same?.baseURL ?? provider.usualAddress else {
                throw CommandFailure(
                    .usage, "--base-url is missing: azure has an address for each resource",
                    hint: "write it like https://acme.openai.azure.com")
            }
            set.baseURL = url
            set.secretID = "upstream-\(name)"
            if set.account.isEmpty {
                let collected = UpstreamBilling.account(of: set.provider, at: url, among: connections)
                set.account = known?.account ?? collected ?? name.text
            }
            if keyID == nil, let same, same.hasProviderKeyID { set.providerKeyID = same.providerKeyID }
            if projectID == nil, let same, same.hasProviderProjectID { set.providerProjectID = same.providerProjectID }
            if project == nil { set.project = same?.project ?? "" }
            if deployments.isEmpty { set.deployments = same?.deployments ?? [] }
            if let same {
                set.secretVersion = same.secretVersion
                set.keyMask = same.keyMask
            }
            return set
        }

        private func address(_ text: String) throws -> ProviderAddress {
            let address: ProviderAddress
            do {
                address = try ProviderAddress(
                    text, emptyPath: provider.emptyPath, mayHaveQuery: provider == .azure)
            } catch {
                throw CommandFailure(.usage, "--base-url: \(error)")
            }
            guard !address.isExposed else {
                throw CommandFailure(
                    .usage, "--base-url: the key and every prompt would travel unencrypted to \(address.text)",
                    hint: "use https://; plain http:// is for this machine only, such as http://127.0.0.1:8000/v1")
            }
            return address
        }

        private static func deployment(_ text: String) throws -> WireUpstreamSet.Deployment {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ (1...200).contains($0.utf8.count) }),
                text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else {
                throw CommandFailure(
                    .usage,
                    "--deployment: \"\(text.prefix(100))\" is not MODEL=DEPLOYMENT; write it like gpt-4o=prod-4o")
            }
            var deployment = WireUpstreamSet.Deployment()
            deployment.model = String(parts[0])
            deployment.deployment = String(parts[1])
            return deployment
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Removes an upstream and its key.",
            discussion: "Example: finops upstream rm main --reason \"contract ended\"", aliases: ["remove"])

        @Argument(help: "Its name.") var name: String
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let name = try upstreamName(name)
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                try await session.checkNotProvisioned(name.text)
                let stream = StreamName.upstream(name.text)
                let secretID = try await session.store.fold(stream, with: UpstreamRegister.self).state?.secretID
                let events = try await session.decide(
                    UpstreamRegister.self, on: stream, .remove(name: name.text, reason: options.reason))
                if let secretID { _ = try await session.forget(secretID, in: vault, reason: options.reason) }
                return Answer(
                    changed: !events.isEmpty, "the gateway does not call \(name) any more",
                    [.init("name", .string(name.text))])
            }
            try answer.print(options.global)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists what the gateway calls.", discussion: "Example: finops upstream list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            var table = Table([
                .init("name"), .init("provider"), .init("base_url", title: "address"), .init("account"), .init("key"),
                .init("provider_key_id", title: "provider's key"), .init("provider_project_id", title: "its project"),
                .init("project", title: "only for"),
                .init("deployments") { value in
                    (value.array ?? []).map { "\($0["model"]?.string ?? "")=\($0["deployment"]?.string ?? "")" }
                        .joined(separator: ", ")
                },
            ])
            table.rows = try await log.upstreams().sorted { $0.name < $1.name }.map { $0.members.map(\.value) }
            try table.write(options.json ? .json : .table)
        }
    }
}

/// An upstream's name is part of a secret's id, which is shorter than other names.
func upstreamName(_ text: String, field: String = "--name") throws -> GivenName {
    let name = try givenName(text, field: field)
    guard name.text.utf8.count <= 50 else {
        throw CommandFailure(
            .usage,
            "\(field) has \(name.text.utf8.count) bytes; use at most 50 for an upstream (a Hangul syllable has 3)")
    }
    return name
}

extension UpstreamRegister.Provider: ExpressibleByArgument {
    /// nil: each customer has another.
    fileprivate var usualAddress: String? {
        switch self {
        case .openai: ProviderAddress.openAI.text
        case .anthropic: "https://api.anthropic.com/v1"
        case .azure: nil
        }
    }

    /// What an address without a path becomes; Azure has OpenAI's interface below `/openai/v1`.
    fileprivate var emptyPath: String { self == .azure ? "openai/v1" : "v1" }
}

extension WireUpstreamSet {
    /// Says so on stderr, where its calls are on the bill of nobody who is collected, and somebody at its address is.
    func warnOfDoubleCounting(beside connections: [WireConnectionMade]) {
        let others = UpstreamBilling.otherAccounts(than: self, among: connections)
        guard let other = others.first else { return }
        Output.message("warning: \(doubleCounting(beside: others)); put it right with: \(accountCommand(other))")
    }

    fileprivate var members: [JSONValue.Member] {
        [
            .init("name", .string(name)), .init("provider", .string(provider)), .init("base_url", .string(baseURL)),
            .init("account", .string(account)), .init("key", .string(keyMask)),
            .init("provider_key_id", hasProviderKeyID ? .string(providerKeyID) : .null),
            .init("provider_project_id", hasProviderProjectID ? .string(providerProjectID) : .null),
            .init("project", project.isEmpty ? .null : .string(project)),
            .init(
                "deployments",
                .array(
                    deployments.map {
                        .object([
                            .init("model", .string($0.model)), .init("deployment", .string($0.deployment)),
                        ])
                    })),
        ]
    }
}
