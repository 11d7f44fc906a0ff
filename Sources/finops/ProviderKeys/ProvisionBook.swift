import EventLog
import FinOps
import Foundation
import Runtime
import Secret
import Stages
import Vault

/// What a provision writes down: its stream, the vault, the upstream, and whose the costs are.
struct ProvisionBook: Sendable {
    let session: AdministrationSession
    let vault: SecretStore
    let upstream: String
    let reason: String

    private var stream: StreamName { .provision(upstream) }
    private var secretID: String { "upstream-\(upstream)" }

    /// Two commands would each take the other's service account for one that nobody has the key of.
    /// - Throws: `CommandFailure` (try again) while another command has it.
    static func lock(_ directory: StateDirectory) throws -> FileLock {
        guard let lock = try FileLock(path: directory.run + "/provision.lock") else {
            throw CommandFailure(.tryAgain, "another command is changing what is provisioned: try again")
        }
        return lock
    }

    func state() async throws -> ProvisionRegister.State {
        try await session.store.fold(stream, with: ProvisionRegister.self).state
    }

    /// Whether the vault has a key for it.
    var isKeyKept: Bool {
        get throws { try vault.ids().contains(secretID) }
    }

    func wasEver() async throws -> Bool { try await !session.store.readAll(stream: stream).isEmpty }

    /// Says what is intended, unless that was said before.
    func begin(_ project: String, account: String) async throws -> ProvisionRegister.Provision {
        let projects = Set(try await session.store.fold(.projects, with: ProjectRegister.self).state.keys)
        let known = try await session.store.fold(.upstream(upstream), with: UpstreamRegister.self).state
        var started = WireProvisionStarted()
        started.upstream = upstream
        started.project = project
        started.provider = Provider.openai.rawValue
        started.account = account
        started.providerName = Self.providerName(project)
        started.reason = reason
        let state = try await record(.begin(started, projects: projects, isTaken: known != nil))
        guard let state else { throw ProvisionRejection.unknown }
        return state
    }

    /// Found again by it: so nobody else has it.
    private static func providerName(_ project: String) -> String {
        let part = UUID().uuidString.lowercased().filter { $0 != "-" }.suffix(8)
        var name = project
        while name.utf8.count > 60 { name.removeLast() }
        return "\(name) finops-\(part)"
    }

    var pages: Provisioner.Book {
        Provisioner.Book(
            record: { try await record($0) },
            keep: { key in
                let kept = try await session.keep(
                    key, id: secretID, purpose: SecretPurpose.upstreamKey, in: vault, reason: reason)
                return UInt32(clamping: kept.version)
            }, pause: { try await Task.sleep(for: .seconds($0)) })
    }

    @discardableResult
    private func record(_ command: ProvisionRegister.Command) async throws -> ProvisionRegister.State {
        _ = try await session.decide(ProvisionRegister.self, on: stream, command)
        return try await state()
    }

    /// The gateway calls it from now on, and what it costs belongs to the project.
    /// - Returns: whether that is new.
    func link(_ provision: ProvisionRegister.Provision, _ project: GivenName) async throws -> Bool {
        guard let projectID = provision.projectID, let account = provision.account else { return false }
        let connection = try await session.store.fold(
            .connection(provider: provision.started.provider, account: provision.started.account),
            with: ConnectionRegister.self
        ).state
        var set = WireUpstreamSet()
        set.name = upstream
        set.provider = provision.started.provider
        set.baseURL = connection?.baseURL ?? ProviderAddress.openAI.text
        set.secretID = secretID
        set.secretVersion = account.secretVersion
        set.keyMask = account.keyMask
        set.account = provision.started.account
        set.providerKeyID = account.providerKeyID
        set.providerProjectID = projectID
        set.project = provision.started.project
        set.reason = reason
        let projects = Set(try await session.store.fold(.projects, with: ProjectRegister.self).state.keys)
        let mapped = try await session.decide(
            MappingRegister.self, on: .mapping(provider: provision.started.provider),
            .init(
                provider: provision.started.provider, subject: .providerProject(projectID), project: project,
                start: .beginning, projects: projects, reason: reason))
        let events = try await session.decide(UpstreamRegister.self, on: .upstream(upstream), .set(set))
        return !mapped.isEmpty || !events.isEmpty
    }

    /// The gateway calls it no more, and its key is out of the vault.
    func unlink() async throws {
        if try await session.store.fold(.upstream(upstream), with: UpstreamRegister.self).state != nil {
            _ = try await session.decide(
                UpstreamRegister.self, on: .upstream(upstream), .remove(name: upstream, reason: reason))
        }
        _ = try await session.forget(secretID, in: vault, reason: reason)
    }

    /// What is at the provider as far as the log knows, and what to do about it.
    func left() async throws -> String {
        guard let provision = try await state() else { return "nothing is left at the provider" }
        let project = provision.projectID.map { "project \($0)" } ?? "perhaps a project"
        let account = provision.account.map { "service account \($0.serviceAccountID)" } ?? "perhaps a service account"
        return
            "at the provider there is \(project) and \(account), each named \"\(provision.name)\"; the same command goes "
            + "on from there, `finops project deprovision --upstream \(upstream) --yes` takes it back"
    }
}

extension AdministrationSession {
    /// What was provisioned is changed and removed by its own commands: else a key would stay at the provider.
    /// - Throws: `CommandFailure` with `usage`.
    nonisolated func checkNotProvisioned(_ upstream: String) async throws {
        guard try await store.fold(.provision(upstream), with: ProvisionRegister.self).state == nil else {
            throw CommandFailure(
                .usage, "upstream \"\(upstream)\" was provisioned: its key at the provider would stay behind",
                hint: "finops project deprovision --upstream \(upstream) --yes takes it back; or use another --name")
        }
    }
}

extension EventReader {
    /// All keys of the gateway that were ever issued, as they stand.
    func gatewayKeys() async throws -> [KeyRegister.Key] {
        var keys: [KeyRegister.Key] = []
        for summary in try await allStreams(prefix: "key-") {
            if let key = try await fold(summary.stream, with: KeyRegister.self).state { keys.append(key) }
        }
        return keys
    }

    /// What the gateway calls, in the order in which the names were first set.
    func upstreams() async throws -> [WireUpstreamSet] {
        var found: [(first: Position, set: WireUpstreamSet)] = []
        for summary in try await allStreams(prefix: "upstream-") {
            let events = try await readAll(stream: summary.stream)
            guard let set = try await fold(summary.stream, with: UpstreamRegister.self).state else { continue }
            // One that was removed in between stands behind those that stayed.
            let last = events.lastIndex { $0.type == "upstream.removed" }.map { $0 + 1 } ?? 0
            guard events.indices.contains(last) else { continue }
            found.append((events[last].position, set))
        }
        return found.sorted { $0.first < $1.first }.map(\.set)
    }
}
