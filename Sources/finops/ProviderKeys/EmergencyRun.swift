import EventLog
import FinOps
import JSON
import Runtime
import Stages
import Vault

/// An emergency of one key as the command runs it: whom it hits, the steps, and what they came to.
struct EmergencyRun: Sendable {
    let session: AdministrationSession
    let vault: SecretStore
    let id: String
    let isDrill: Bool
    let isConfirmed: Bool
    let reason: String

    struct Outcome: Sendable {
        var reports: [Emergency.Report]
        /// Other keys of the gateway, and other keys at the provider, that stop too.
        var others: [String]

        /// What the program ends with: 0 only if everything is done.
        var exitStatus: ExitStatus {
            let open = reports.filter { ["refused", "skipped"].contains($0.outcome.word) }
            if open.isEmpty { return .success }
            let kinds = open.compactMap(\.failure).map(ExitStatus.of)
            return kinds.contains(.tryAgain) ? .tryAgain : kinds.contains(.notAuthorised) ? .notAuthorised : .failure
        }
    }

    /// - Parameter decision: position of the key.disabled.
    func run(decision: Position) async throws -> Outcome {
        guard let key = try await session.store.fold(.key(id), with: KeyRegister.self).state else {
            throw KeyRejection.unknownKey(id)
        }
        let upstreams = try await session.store.upstreams()
        let door = ProviderDoor(session: session, vault: vault)
        var targets: [Emergency.Target] = []
        for upstream in EmergencyReach.upstreams(of: key.issued, among: upstreams) {
            let provision = try await session.store.fold(.provision(upstream.name), with: ProvisionRegister.self).state
            targets.append(
                Emergency.Target(
                    upstream: upstream, serviceAccount: provision?.account?.serviceAccountID,
                    access: await door.access(to: upstream)))
        }
        // What nobody can be told of stops nobody.
        let stopped = Set(targets.filter(\.canBeTold).map(\.upstream.name))
        let sharers = EmergencyReach.sharers(
            of: key.issued, stopping: stopped, among: try await session.store.gatewayKeys(), upstreams: upstreams,
            at: session.now)
        let others =
            sharers.map { "\($0.key) of project \($0.project)" } + (await Emergency.others(targets))
        let emergency = Emergency(of: key, decision: decision.value, isDrill: isDrill, pages)
        let reports = try await emergency.run(targets, objection: objection(others))
        for target in targets { try await note(target, reports) }
        return Outcome(reports: reports, others: others)
    }

    /// Nobody is asked: a script must not wait for an answer, nor stop others because none came.
    private func objection(_ others: [String]) -> String? {
        guard !others.isEmpty, !isConfirmed, !isDrill else { return nil }
        return "it stops others, too (\(others.count)): the same command with --yes confirms that"
    }

    private var pages: Emergency.Book {
        Emergency.Book(
            started: { started in
                var started = started
                started.reason = reason
                _ = try await session.decide(
                    KeyRegister.self, on: .key(id), session.command(id, .startStep(started)))
                guard let key = try await session.store.fold(.key(id), with: KeyRegister.self).state else {
                    throw KeyRejection.unknownKey(id)
                }
                return key
            },
            ended: { ended in
                var ended = ended
                ended.reason = reason
                _ = try await session.decide(KeyRegister.self, on: .key(id), session.command(id, .endStep(ended)))
            })
    }

    /// What was provisioned learns that its key is gone, so that nobody takes it for usable.
    private func note(_ target: Emergency.Target, _ reports: [Emergency.Report]) async throws {
        let step = EmergencyStep(.deleteProviderKey, upstream: target.upstream.name)
        guard !isDrill, reports.contains(where: { $0.step == step && $0.outcome.word == "done" }) else { return }
        let stream = StreamName.provision(target.upstream.name)
        guard let provision = try await session.store.fold(stream, with: ProvisionRegister.self).state,
            let account = provision.account, account.providerKeyID == target.upstream.providerKeyID
        else { return }
        _ = try await session.decide(
            ProvisionRegister.self, on: stream,
            .accountDeleted(id: account.serviceAccountID, .emergency, reason: reason))
    }
}

extension EmergencyRun.Outcome {
    var lines: [String] {
        var lines: [String] = []
        if !others.isEmpty {
            let hasStopped = reports.contains { $0.outcome.word == "done" }
            lines.append((hasStopped ? "this stops, too: " : "this would stop, too: ") + others.joined(separator: ", "))
        }
        lines += reports.map { report in
            "\(report.step.route.rawValue) of \(report.step.upstream): \(report.outcome.word), \(report.outcome.detail)"
                + (report.before.isEmpty ? "" : "; before: \(report.before)")
        }
        if reports.isEmpty {
            lines.append("the gateway calls nothing with this key: there is nothing to stop behind it")
        }
        return lines
    }

    var members: [JSONValue.Member] {
        [
            .init(
                "steps",
                .array(
                    reports.map { report in
                        [
                            "step": .string(report.step.route.rawValue), "upstream": .string(report.step.upstream),
                            "outcome": .string(report.outcome.word), "detail": .string(report.outcome.detail),
                            "before": report.before.isEmpty ? .null : .string(report.before),
                        ]
                    })),
            .init("others", .array(others.map(JSONValue.string))),
            .init("complete", .bool(exitStatus == .success)),
        ]
    }
}
