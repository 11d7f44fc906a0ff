import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Stages
import Vault

extension KeyCommand {
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disables a key at once: all applications that use it are refused.",
            discussion: """
                Then it waits up to two seconds and shows how long each gateway took. With --drill nothing is refused; \
                the gateways answer as if it were. Reactivation takes two people: finops key reactivate.
                With --emergency it also deletes the provider's key behind it, and caps the spend of the provider's \
                project: final there, and everybody who shares them stops. If others do, that takes --yes; else only \
                the gateway's key is disabled, and whom it would hit is said. What fails or waits is tried again by \
                the same command.
                Examples:
                  finops key disable key-0192f3a4… --reason "runaway loop"
                  finops key disable key-0192f3a4… --reason "leaked" --emergency
                """)

        @Argument(help: "The key's id.") var id: String
        @Flag(help: "Only rehearse it.") var drill = false
        @Flag(help: "Stop it at the provider, too.") var emergency = false
        @Flag(help: "With --emergency: although others stop with it.") var yes = false
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            if yes, !emergency { throw ValidationError("--yes goes with --emergency") }
        }

        func run() async throws {
            try options.checkReason()
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let (outcome, emergency) = try await AdministrationSession.run(options.global, as: acting) { session in
                let events = try await session.decide(
                    KeyRegister.self, on: .key(id),
                    session.command(id, .disable(drill ? .drill : .person, reason: options.reason)))
                guard let decision = try await session.store.decision(on: id, isDrill: drill) else {
                    return (answer(changed: !events.isEmpty, nil, [], nil), nil as EmergencyRun.Outcome?)
                }
                // Before the gateways are heard: every second counts.
                let outcome = try await stopAtProvider(session, vault, decision)
                let heard = events.isEmpty ? [] : try await session.store.acknowledgements(of: decision)
                return (answer(changed: !events.isEmpty, decision, heard, outcome), outcome)
            }
            try outcome.print(options.global)
            if let emergency, emergency.exitStatus != .success {
                throw CommandFailure(
                    emergency.exitStatus, "not everything \(drill ? "would be" : "is") stopped at the provider",
                    hint: "the same command tries again what is not done; `reporter kills` shows each step")
            }
        }

        private func stopAtProvider(
            _ session: AdministrationSession, _ vault: SecretStore, _ decision: Position
        ) async throws -> EmergencyRun.Outcome? {
            guard emergency else { return nil }
            return try await EmergencyRun(
                session: session, vault: vault, id: id, isDrill: drill, isConfirmed: yes, reason: options.reason
            ).run(decision: decision)
        }

        private func answer(
            changed: Bool, _ decision: Position?, _ acknowledgements: [WireKeyDisablementEnforced],
            _ emergency: EmergencyRun.Outcome?
        ) -> Answer {
            var lines = [drill ? "\(id) was disabled in a drill: nothing is refused" : "\(id) is disabled"]
            lines += acknowledgements.map { "\($0.gateway) after \($0.milliseconds) ms\($0.lastRequest)" }
            if changed, acknowledgements.isEmpty {
                lines.append(
                    "no gateway has answered"
                        + (drill ? "" : ": one that runs, or will, refuses it as soon as it sees the log"))
            }
            lines += emergency?.lines ?? []
            let gateways = acknowledgements.map { event in
                JSONValue.object([
                    .init("gateway", .string(event.gateway)), .init("milliseconds", .number(event.milliseconds)),
                    .init("last_accepted", event.hasLastAccepted ? .string(event.lastAcceptedText) : .null),
                ])
            }
            let hasActed = emergency?.reports.contains { !$0.isOld } ?? false
            return Answer(
                changed: changed || hasActed, lines.joined(separator: "\n"),
                [
                    .init("id", .string(id)), .init("drill", .bool(drill)),
                    .init("decision", decision.map { .integer($0.value) } ?? .null),
                    .init("gateways", .array(gateways)),
                ] + (emergency?.members ?? []))
        }
    }
}

extension AdministrationOptions {
    /// - Throws: `CommandFailure` with `usage` where nobody says why.
    func checkReason() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw CommandFailure(.usage, "--reason is missing: say why, for whoever reads the audit log")
        }
    }
}

extension EventReader {
    /// Position of the newest decision to disable a key, or of the newest drill.
    fileprivate func decision(on id: String, isDrill: Bool) async throws -> Position? {
        try await readAll(stream: .key(id)).last { event in
            guard case .keyDisabled(let disabled)? = try EventCatalogue.decode(event.event) else { return false }
            return (disabled.cause == KeyRegister.Cause.drill.rawValue) == isDrill
        }?.position
    }

    /// What the gateways say to a decision, as long as they say something. Nobody knows here how many run: when one has
    /// answered, the others have a little more time.
    fileprivate func acknowledgements(of decision: Position) async throws -> [WireKeyDisablementEnforced] {
        var found: [WireKeyDisablementEnforced] = []
        var place = decision
        var end = ContinuousClock.now + .seconds(2)
        while ContinuousClock.now < end {
            let page = try await read(after: place, limit: 1_000, types: ["key.disablement-enforced"])
            place = max(place, page.scannedThrough)
            for event in page.events {
                guard case .keyDisablementEnforced(let event)? = try EventCatalogue.decode(event.event),
                    event.decision == decision.value
                else { continue }
                found.append(event)
                end = min(end, ContinuousClock.now + .milliseconds(300))
            }
            if place >= page.head { try await Task.sleep(for: .milliseconds(10)) }
        }
        return found
    }
}

extension WireKeyDisablementEnforced {
    fileprivate var milliseconds: String { Self.milliseconds(enforced &- decided) }

    fileprivate var lastAcceptedText: String { Timestamp(microseconds: lastAccepted).rfc3339 }

    fileprivate var lastRequest: String {
        guard hasLastAccepted else { return ", no request before it" }
        let after = lastAccepted &- decided
        return ", last request \(Self.milliseconds(abs(after))) ms \(after < 0 ? "before" : "after") the decision"
    }

    private static func milliseconds(_ microseconds: Int64) -> String {
        let rest = String(microseconds.magnitude % 1_000)
        return "\(microseconds < 0 ? "-" : "")\(microseconds.magnitude / 1_000)."
            + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
