import EventLog
import FinOps
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct KeyRegisterTests {
    private static let id = "key-1"
    private static let start = Timestamp(seconds: 1_800_000_000)

    private func by(_ actor: String, _ event: FinOpsEvent, after seconds: Int64 = 0) -> ActedEvent {
        ActedEvent(event, by: actor, at: Self.start.advanced(bySeconds: seconds))
    }

    private func ask(
        _ change: KeyRegister.Command.Change, by actor: String = "kim", after seconds: Int64 = 0
    ) -> KeyRegister.Command {
        KeyRegister.Command(Self.id, change, by: actor, at: Self.start.advanced(bySeconds: seconds))
    }

    private func wire(_ event: FinOpsEvent) -> WireKeyIssued {
        guard case .keyIssued(let issued) = event else { preconditionFailure("an issue") }
        return issued
    }

    private func rotation(until: Int64) -> WireKeyRotated {
        guard
            case .keyRotated(let rotated) = Gatewayed.rotated(
                Self.id, prefix: "fo-bbbb", hash: 2, oldValidUntil: Self.start.seconds + until)
        else { preconditionFailure("a rotation") }
        return rotated
    }

    private var issued: ActedEvent { by("kim", Gatewayed.issued(Self.id)) }
    private var disabled: ActedEvent { by("kim", Gatewayed.disabled(Self.id)) }

    @Test func aKeyIsIssuedForAProjectThatExists() {
        let key = Gatewayed.issued(Self.id)
        given(KeyRegister.self).when(ask(.issue(wire(key), projects: ["chat"]))).then(by("kim", key))
        given(KeyRegister.self).when(ask(.issue(wire(key), projects: ["draw"])))
            .thenRejects(.unknownProject("chat", known: ["draw"]))
        given(KeyRegister.self, issued).when(ask(.issue(wire(key), projects: ["chat"])))
            .thenRejects(.exists(Self.id))
    }

    @Test func aKeyThatWouldHaveExpiredIsNotIssued() {
        let key = wire(Gatewayed.issued(Self.id, expires: Self.start.seconds))
        given(KeyRegister.self).when(ask(.issue(key, projects: ["chat"]))).thenRejects(.expiresInThePast)
    }

    @Test func whatWasNeverIssuedCannotBeChanged() {
        let changes: [KeyRegister.Command.Change] = [
            .rotate(rotation(until: 60)), .disable(.person, reason: "r"), .requestReactivation(reason: "r"),
            .approveReactivation(administrators: ["kim"], reason: ""),
        ]
        for change in changes { given(KeyRegister.self).when(ask(change)).thenRejects(.unknownKey(Self.id)) }
    }

    @Test func aRotatedKeyHasTwoValuesUntilTheGraceIsOver() throws {
        let rotated = given(KeyRegister.self, issued).when(ask(.rotate(rotation(until: 60)))).events()
        let key = try #require(given(KeyRegister.self, [issued] + rotated).state)
        #expect(key.prefix == "fo-bbbb" && key.replaced?.prefix == "fo-aaaa" && key.rotated == Self.start)
        #expect(key.status(at: Self.start.advanced(bySeconds: 59)) == .rotating)
        #expect(key.status(at: Self.start.advanced(bySeconds: 60)) == .active)
    }

    @Test func onlyAKeyThatIsAcceptedCanBeRotated() {
        given(KeyRegister.self, issued, disabled).when(ask(.rotate(rotation(until: 60))))
            .thenRejects(.isDisabled(Self.id))
        let expiring = by("kim", Gatewayed.issued(Self.id, expires: Self.start.seconds + 10))
        given(KeyRegister.self, expiring).when(ask(.rotate(rotation(until: 60)), after: 10))
            .thenRejects(.hasExpired(Self.id))
        given(KeyRegister.self, issued).when(ask(.rotate(rotation(until: -1)))).thenRejects(.graceIsOver)
    }

    @Test func aKeyIsDisabledOnceAndWithAReason() {
        given(KeyRegister.self, issued).when(ask(.disable(.person, reason: "runaway"))).then(disabled)
        given(KeyRegister.self, issued, disabled).when(ask(.disable(.person, reason: "again"))).thenNothing()
        given(KeyRegister.self, issued).when(ask(.disable(.person, reason: ""))).thenRejects(.reasonMissing)
    }

    @Test func aDrillDisablesNothingAndMayBeRepeated() {
        let drill = by("kim", Gatewayed.disabled(Self.id, cause: "drill"))
        given(KeyRegister.self, issued).when(ask(.disable(.drill, reason: "runaway"))).then(drill)
        given(KeyRegister.self, issued, drill).when(ask(.disable(.drill, reason: "runaway"))).then(drill)
        given(KeyRegister.self, issued, drill).when(ask(.disable(.person, reason: "runaway"))).then(disabled)
        given(KeyRegister.self, issued, disabled).when(ask(.disable(.drill, reason: "r")))
            .thenRejects(.isDisabled(Self.id))
    }

    @Test func twoPeopleAreNeededToGiveAKeyBack() {
        let request = by("kim", Gatewayed.requested(Self.id))
        let approval = KeyRegister.Command.Change.approveReactivation(administrators: ["kim", "lee"], reason: "seen")
        let asked = given(KeyRegister.self, issued, disabled, request)
        asked.when(ask(approval)).thenRejects(.ownRequest(Self.id))
        asked.when(ask(approval, by: "park")).thenRejects(.notAdministrator)
        asked.when(ask(approval, by: "lee")).then(by("lee", Gatewayed.reactivated(Self.id)))
        given(KeyRegister.self, issued, disabled).when(ask(approval, by: "lee")).thenRejects(.notRequested(Self.id))
        let back = by("lee", Gatewayed.reactivated(Self.id))
        given(KeyRegister.self, issued, disabled, request, back).when(ask(approval, by: "lee"))
            .thenRejects(.notDisabled(Self.id))
    }

    @Test func aRequestIsMadeOnceAndNotForAKeyThatIsAccepted() {
        let request = by("kim", Gatewayed.requested(Self.id))
        let asking = KeyRegister.Command.Change.requestReactivation(reason: "mended")
        given(KeyRegister.self, issued, disabled).when(ask(asking)).then(request)
        given(KeyRegister.self, issued, disabled, request).when(ask(asking)).thenNothing()
        given(KeyRegister.self, issued, disabled, request).when(ask(asking, by: "lee"))
            .thenRejects(.alreadyRequested(Self.id))
        given(KeyRegister.self, issued).when(ask(asking)).thenRejects(.notDisabled(Self.id))
        given(KeyRegister.self, issued, disabled).when(ask(.requestReactivation(reason: "")))
            .thenRejects(.reasonMissing)
    }

    /// Else an old request would let a later disablement be taken back by one person.
    @Test func anotherDisablementNeedsAnotherRequest() {
        let history = [
            issued, disabled, by("kim", Gatewayed.requested(Self.id)), by("lee", Gatewayed.reactivated(Self.id)),
            disabled,
        ]
        given(KeyRegister.self, history)
            .when(ask(.approveReactivation(administrators: ["lee"], reason: ""), by: "lee"))
            .thenRejects(.notRequested(Self.id))
    }

    @Test func aPolicyDisablesAsAPersonDoes() throws {
        let policy = by("", Gatewayed.disabled(Self.id, cause: "policy"))
        let key = try #require(given(KeyRegister.self, issued, policy).state)
        #expect(key.status(at: Self.start) == .disabled && key.disabled?.cause == "policy")
    }
}

@Suite struct UpstreamRegisterTests {
    private func upstream(_ change: (inout WireUpstreamSet) -> Void = { _ in }) -> WireUpstreamSet {
        var set = WireUpstreamSet.with {
            $0.name = "main"
            $0.provider = "openai"
            $0.baseURL = "https://api.openai.com/v1"
            $0.secretID = "upstream-main"
            $0.secretVersion = 1
            $0.account = "acme"
            $0.reason = "first"
        }
        change(&set)
        return set
    }

    @Test func theSameAgainChangesNothingWhateverTheReason() {
        let again = upstream { $0.reason = "again" }
        given(UpstreamRegister.self).when(.set(upstream())).then(.upstreamSet(upstream()))
        given(UpstreamRegister.self, .upstreamSet(upstream())).when(.set(again)).thenNothing()
    }

    @Test func anotherKeyOrAddressIsAnotherStatement() {
        for other in [upstream { $0.secretVersion = 2 }, upstream { $0.baseURL = "https://example.com/v1" }] {
            given(UpstreamRegister.self, .upstreamSet(upstream())).when(.set(other)).then(.upstreamSet(other))
        }
    }

    @Test func whatNoGatewayCouldCallIsRefused() {
        given(UpstreamRegister.self).when(.set(upstream { $0.provider = "opnai" }))
            .thenRejects(.unknownProvider("opnai"))
        let twice = upstream { set in
            set.deployments = ["a", "b"].map { name in
                .with {
                    $0.model = "gpt-4o"
                    $0.deployment = name
                }
            }
        }
        given(UpstreamRegister.self).when(.set(twice)).thenRejects(.deployedTwice("gpt-4o"))
    }

    @Test func onlyWhatThereIsCanBeRemoved() {
        given(UpstreamRegister.self).when(.remove(name: "main", reason: "")).thenRejects(.unknownUpstream("main"))
        let removed = FinOpsEvent.upstreamRemoved(
            .with {
                $0.name = "main"
                $0.reason = "moved"
            })
        given(UpstreamRegister.self, .upstreamSet(upstream())).when(.remove(name: "main", reason: "moved"))
            .then(removed)
        given(UpstreamRegister.self, .upstreamSet(upstream()), removed).when(.set(upstream()))
            .then(.upstreamSet(upstream()))
    }
}
