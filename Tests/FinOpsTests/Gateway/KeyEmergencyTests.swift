import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct KeyEmergencyTests {
    private static let start = Timestamp(seconds: 1_800_000_000)
    private let step = EmergencyStep(.deleteProviderKey, upstream: "main")

    private func by(_ event: FinOpsEvent) -> ActedEvent { ActedEvent(event, by: "kim", at: Self.start) }
    private func ask(_ change: KeyRegister.Command.Change) -> KeyRegister.Command {
        KeyRegister.Command("key-1", change, by: "kim", at: Self.start)
    }

    private func start(before: String = "", drill: Bool = false) -> WireKeyEmergencyStepStarted {
        .with {
            ($0.key, $0.decision, $0.step, $0.upstream) = ("key-1", 7, "delete-provider-key", "main")
            ($0.before, $0.drill) = (before, drill)
        }
    }

    private func end(_ outcome: String, drill: Bool = false) -> WireKeyEmergencyStepEnded {
        .with {
            ($0.key, $0.decision, $0.step, $0.upstream) = ("key-1", 7, "delete-provider-key", "main")
            ($0.outcome, $0.drill) = (outcome, drill)
        }
    }

    private var issued: ActedEvent { by(Gatewayed.issued("key-1")) }
    private var disabled: ActedEvent { by(Gatewayed.disabled("key-1")) }
    private func started(before: String = "", drill: Bool = false) -> ActedEvent {
        by(.keyEmergencyStepStarted(start(before: before, drill: drill)))
    }
    private func ended(_ outcome: String, drill: Bool = false) -> ActedEvent {
        by(.keyEmergencyStepEnded(end(outcome, drill: drill)))
    }

    @Test func aStepBeginsOnceTheKeyIsDisabled() {
        given(KeyRegister.self, issued).when(ask(.startStep(start()))).thenRejects(.notDisabled("key-1"))
        given(KeyRegister.self, issued, disabled).when(ask(.startStep(start()))).then(started())
        given(KeyRegister.self).when(ask(.startStep(start()))).thenRejects(.unknownKey("key-1"))
    }

    @Test func aDrillRehearsesAnActiveKeyAndLeavesNothingBehind() {
        let rehearsed = given(
            KeyRegister.self, issued, started(drill: true), ended("rehearsed", drill: true))
        #expect(rehearsed.state?.steps == [:])
        rehearsed.when(ask(.startStep(start(drill: true)))).then(started(drill: true))
    }

    @Test func whatWasRefusedOrSkippedOrLostIsTriedAgainAndWhatIsDoneIsNot() {
        for outcome in ["refused", "skipped"] {
            given(KeyRegister.self, issued, disabled, started(), ended(outcome)).when(ask(.startStep(start())))
                .then(started())
        }
        given(KeyRegister.self, issued, disabled, started()).when(ask(.startStep(start()))).then(started())
        let done = given(KeyRegister.self, issued, disabled, started(), ended("done"))
        done.when(ask(.startStep(start()))).thenNothing()
        done.when(ask(.endStep(end("refused")))).thenNothing()
        #expect(done.state?.isDone(step) == true)
    }

    @Test func whatWasInForceBeforeTheFirstAttemptIsKept() {
        let twice = given(
            KeyRegister.self, issued, disabled, started(before: "spend_limit=50000"), started(before: "spend_limit=1"))
        #expect(twice.state?.steps[step] == KeyRegister.StepStanding(before: "spend_limit=50000", outcome: nil))
    }

    @Test func aStepThatWasSkippedHasReadNothing() {
        let after = given(KeyRegister.self, issued, disabled, ended("skipped"), started(before: "spend_limit=50000"))
        #expect(after.state?.steps[step] == KeyRegister.StepStanding(before: "spend_limit=50000", outcome: nil))
    }

    @Test func anotherDisablementBeginsAnew() {
        let again = given(
            KeyRegister.self, issued, disabled, started(), ended("done"), by(Gatewayed.reactivated("key-1")), disabled)
        #expect(again.state?.steps == [:])
    }

    // MARK: Whom it reaches

    private func upstream(_ name: String, project: String = "", provider: String = "openai", _ models: String...)
        -> WireUpstreamSet
    {
        .with { set in
            (set.name, set.project, set.provider) = (name, project, provider)
            set.deployments = models.map { model in .with { ($0.model, $0.deployment) = (model, model) } }
        }
    }

    private func key(
        _ id: String, project: String, models: [String] = [], isDisabled: Bool = false
    ) -> KeyRegister.Key {
        let issued = Gatewayed.issued(id, project: project, models: models)
        let history = [issued] + (isDisabled ? [Gatewayed.disabled(id)] : [])
        guard let key = KeyRegister.fold(history.map(by)) else { preconditionFailure("it was issued") }
        return key
    }

    private func reached(_ key: KeyRegister.Key, _ upstreams: [WireUpstreamSet]) -> [String] {
        EmergencyReach.upstreams(of: key.issued, among: upstreams).map(\.name)
    }

    @Test func aProjectsOwnUpstreamIsTheOnlyOneOfItsDialectThatItsKeysReach() {
        let all = [
            upstream("main"), upstream("second"), upstream("own", project: "chat"), upstream("others", project: "lab"),
            upstream("claude", provider: "anthropic"), upstream("eu", provider: "azure", "gpt-4o"),
        ]
        #expect(reached(key("key-1", project: "chat"), all) == ["own", "claude"])
        #expect(reached(key("key-2", project: "web"), all) == ["main", "claude", "eu"])
        #expect(reached(key("key-3", project: "web", models: ["o3"]), all) == ["main", "claude"])
    }

    @Test func whoSharesAnUpstreamIsNamedAndWhoIsStoppedAnywayIsNot() {
        let all = [upstream("main"), upstream("own", project: "lab")]
        let keys = [
            key("key-1", project: "chat"), key("key-2", project: "web"), key("key-3", project: "lab"),
            key("key-4", project: "web", isDisabled: true),
        ]
        func sharers(_ key: Int, _ stopped: Set<String>) -> [String] {
            EmergencyReach.sharers(
                of: keys[key].issued, stopping: stopped, among: keys, upstreams: all, at: Self.start
            ).map(\.key)
        }
        #expect(sharers(0, ["main"]) == ["key-2"])
        #expect(sharers(2, ["own"]).isEmpty)
        // Of an upstream whose provider cannot be told nothing is stopped.
        #expect(sharers(0, []).isEmpty)
    }

    /// The reach is what a gateway chooses by: no model may go anywhere else.
    @Test func noCallGoesToAnUpstreamThatTheReachLeavesOut() throws {
        let names = ["gpt-4o", "o3", ""]
        let sets = [
            upstream("a"), upstream("b", "gpt-4o"), upstream("c", project: "chat", "o3"),
            upstream("d", project: "chat"), upstream("e", provider: "anthropic"), upstream("f", project: "web"),
        ]
        for mask in 0..<(1 << sets.count) {
            let chosen = sets.indices.filter { mask >> $0 & 1 == 1 }.map { sets[$0] }
            var log = TestLog()
            var table = KeyTable(gateway: "g")
            for set in chosen { log.append(.upstreamSet(set), to: .upstream(set.name), at: Self.start) }
            for (event, recorded) in log.events { table.take(event, recorded) }
            for project in ["chat", "web", "lab"] {
                let reach = reached(key("key-1", project: project), chosen)
                for model in names {
                    for dialect in [true, false] {
                        guard let found = table.upstream(isAnthropic: dialect, model: model, project: project) else {
                            continue
                        }
                        #expect(reach.contains(found.name), "\(project) \(model) of \(chosen.map(\.name))")
                    }
                }
            }
        }
    }
}
