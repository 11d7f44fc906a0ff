import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct ProvisionRegisterTests {
    private func intent(_ project: String = "chat", account: String = "acme") -> WireProvisionStarted {
        .with {
            ($0.upstream, $0.project, $0.provider, $0.account) = ("chat", project, "openai", account)
            $0.providerName = "chat finops-0a1b2c3d"
        }
    }

    private func begin(
        _ project: String = "chat", account: String = "acme", isTaken: Bool = false
    ) -> ProvisionRegister.Command {
        .begin(intent(project, account: account), projects: ["chat", "lab"], isTaken: isTaken)
    }

    private var started: FinOpsEvent { .provisionStarted(intent()) }
    private var project: FinOpsEvent {
        .provisionProjectMade(.with { ($0.upstream, $0.providerProjectID) = ("chat", "proj_1") })
    }
    private var account: FinOpsEvent {
        .provisionAccountMade(
            .with {
                ($0.upstream, $0.serviceAccountID, $0.providerKeyID) = ("chat", "svc_1", "key_1")
                ($0.keyMask, $0.secretVersion) = ("sk-svcacct-…wxyz", 1)
            })
    }
    private func deleted(_ cause: String) -> FinOpsEvent {
        .provisionAccountDeleted(
            .with { ($0.upstream, $0.serviceAccountID, $0.cause, $0.reason) = ("chat", "svc_1", cause, "") })
    }

    @Test func theIntentComesFirstAndOnce() {
        given(ProvisionRegister.self).when(begin()).then(started)
        given(ProvisionRegister.self, started).when(begin()).thenNothing()
        given(ProvisionRegister.self, started, project, account).when(begin()).thenNothing()
        given(ProvisionRegister.self).when(begin("nothing"))
            .thenRejects(.unknownProject("nothing", known: ["chat", "lab"]))
        given(ProvisionRegister.self).when(begin(isTaken: true)).thenRejects(.upstreamExists("chat"))
        // Its own upstream is there after the first run.
        given(ProvisionRegister.self, started, project, account).when(begin(isTaken: true)).thenNothing()
    }

    @Test func aNameBelongsToOneProjectAndOneAccount() {
        let taken = ProvisionRejection.isAnothers("chat", project: "chat", account: "acme")
        given(ProvisionRegister.self, started).when(begin("lab")).thenRejects(taken)
        given(ProvisionRegister.self, started).when(begin(account: "other")).thenRejects(taken)
    }

    @Test func eachStepIsToldAndToldOnce() {
        given(ProvisionRegister.self, started).when(.projectMade(id: "proj_1", found: false)).then(project)
        given(ProvisionRegister.self, started, project).when(.projectMade(id: "proj_1", found: true)).thenNothing()
        given(ProvisionRegister.self, started, project)
            .when(.accountMade(id: "svc_1", keyID: "key_1", mask: "sk-svcacct-…wxyz", version: 1)).then(account)
        given(ProvisionRegister.self).when(.projectMade(id: "proj_1", found: false)).thenRejects(.unknown)
    }

    @Test func anOrphanThatIsDeletedLeavesTheRestAsItIs() {
        let known = given(ProvisionRegister.self, started, project, deleted("orphan"))
        #expect(known.state?.projectID == "proj_1" && known.state?.isStopped == false)
        known.when(begin()).thenNothing()
    }

    @Test func afterAnEmergencyNothingIsMadeInItsPlace() {
        let stopped = given(ProvisionRegister.self, started, project, account, deleted("emergency"))
        #expect(stopped.state?.account == nil)
        stopped.when(begin()).thenRejects(.stopped("chat", project: "chat"))
        stopped.when(.beginWithdrawal(reason: "leaked"))
            .then(.provisionWithdrawalStarted(.with { ($0.upstream, $0.reason) = ("chat", "leaked") }))
    }

    @Test func whatIsBeingTakenBackIsFinishedBeforeItIsMadeAnew() {
        let withdrawing = FinOpsEvent.provisionWithdrawalStarted(.with { $0.upstream = "chat" })
        let under = given(ProvisionRegister.self, started, project, account, withdrawing)
        under.when(begin()).thenRejects(.withdrawing("chat"))
        under.when(.beginWithdrawal(reason: "")).thenNothing()
        let withdrawn = FinOpsEvent.provisionWithdrawn(.with { ($0.upstream, $0.archived) = ("chat", ["proj_1"]) })
        under.when(.withdrawn(archived: ["proj_1"])).then(withdrawn)
        given(ProvisionRegister.self, started, project, account, withdrawing, withdrawn).when(begin()).then(started)
    }
}
