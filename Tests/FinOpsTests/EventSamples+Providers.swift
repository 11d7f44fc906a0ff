import FinOps
import SwiftProtobuf

extension EventSamples {
    /// What is made and stopped at providers.
    static let providers: [FinOpsEvent] = [
        .provisionStarted(
            .with {
                $0.upstream = "chatbot"
                $0.project = "chatbot"
                $0.provider = "openai"
                $0.account = "acme"
                $0.providerName = "chatbot finops-3f2a9c1e"
                $0.reason = "a key of its own"
            }),
        .provisionProjectMade(
            .with {
                $0.upstream = "chatbot"
                $0.providerProjectID = "proj_1"
                $0.found = true
            }),
        .provisionAccountMade(
            .with {
                $0.upstream = "chatbot"
                $0.serviceAccountID = "svc_acct_1"
                $0.providerKeyID = "key_7Hq2"
                $0.keyMask = "sk-svcacct-…wxyz"
                $0.secretVersion = 2
            }),
        .provisionAccountDeleted(
            .with {
                $0.upstream = "chatbot"
                $0.serviceAccountID = "svc_acct_0"
                $0.cause = "orphan"
                $0.reason = "nobody has its key: the answer with it was lost"
            }),
        .provisionWithdrawalStarted(
            .with {
                $0.upstream = "chatbot"; $0.reason = "team is gone"
            }),
        .provisionWithdrawn(
            .with {
                $0.upstream = "chatbot"; $0.archived = ["proj_1"]
            }),
        .keyEmergencyStepStarted(
            .with {
                $0.key = "key-0192f3a4"
                $0.decision = 4_711
                $0.step = "cap-provider-project"
                $0.upstream = "chatbot"
                $0.provider = "openai"
                $0.account = "acme"
                $0.providerProjectID = "proj_1"
                $0.providerKeyID = "key_7Hq2"
                $0.drill = true
                $0.before = "spend_limit=50000"
            }),
        .keyEmergencyStepEnded(
            .with {
                $0.key = "key-0192f3a4"
                $0.decision = 4_711
                $0.step = "cap-provider-project"
                $0.upstream = "chatbot"
                $0.outcome = "rehearsed"
                $0.detail = "the spend limit of proj_1 would be 0.01 USD a month; now it is 500.00 USD"
                $0.drill = true
            }),
    ]
}
