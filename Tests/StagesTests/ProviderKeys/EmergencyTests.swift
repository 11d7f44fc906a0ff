import EventLog
import FinOps
import FoundationEssentials
import Stages
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct EmergencyTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    /// The key's stream.
    private actor Desk {
        private(set) var events: [ActedEvent] = []

        init(isDisabled: Bool = true) {
            let history = [Gatewayed.issued("key-1")] + (isDisabled ? [Gatewayed.disabled("key-1")] : [])
            events = history.map { ActedEvent($0, by: "kim", at: EmergencyTests.start) }
        }

        var key: KeyRegister.Key {
            guard let key = KeyRegister.fold(events) else { preconditionFailure("it was issued") }
            return key
        }

        func decide(_ change: KeyRegister.Command.Change) throws {
            events += try KeyRegister.decide(
                KeyRegister.Command("key-1", change, by: "kim", at: EmergencyTests.start), key)
        }

        /// Outcomes in order, as the log has them.
        var told: [String] {
            events.compactMap {
                switch $0.event {
                case .keyEmergencyStepStarted(let step): "\(step.step) \(step.upstream) started"
                case .keyEmergencyStepEnded(let step): "\(step.step) \(step.upstream) \(step.outcome)"
                default: nil
                }
            }
        }

        nonisolated var book: Emergency.Book {
            Emergency.Book(
                started: {
                    try await self.decide(.startStep($0))
                    return await self.key
                }, ended: { try await self.decide(.endStep($0)) })
        }
    }

    private func provider(hasSpendLimits: Bool = true) async -> FakeProvider {
        let provider = FakeProvider(hasSpendLimits: hasSpendLimits)
        await provider.give(
            .init(id: "svc_1", name: "chat", project: "proj_1", keyID: "key_1", key: "sk-1"),
            in: ProviderProject(id: "proj_1", name: "chat"))
        return provider
    }

    private func target(
        _ provider: FakeProvider?, _ name: String = "main", keyID: String? = "key_1", projectID: String? = "proj_1"
    ) -> Emergency.Target {
        let upstream = WireUpstreamSet.with {
            ($0.name, $0.provider, $0.account) = (name, "openai", "acme")
            if let keyID { $0.providerKeyID = keyID }
            if let projectID { $0.providerProjectID = projectID }
        }
        return Emergency.Target(
            upstream: upstream, access: provider.map { .granted($0) } ?? .missing("account \"acme\" is not connected"))
    }

    private func run(
        _ desk: Desk, _ targets: [Emergency.Target], isDrill: Bool = false, objection: String? = nil
    ) async throws -> [Emergency.Report] {
        try await Emergency(of: await desk.key, decision: 2, isDrill: isDrill, desk.book)
            .run(targets, objection: objection)
    }

    @Test func theKeyIsDeletedThenItsProjectCapped() async throws {
        let (desk, provider) = (Desk(), await provider())
        let reports = try await run(desk, [target(provider)])
        #expect(reports.map(\.outcome.word) == ["done", "done"])
        #expect(await provider.workingKeys == [])
        #expect(await provider.limits == ["proj_1": 1])
        #expect(
            await desk.told == [
                "delete-provider-key main started", "delete-provider-key main done",
                "cap-provider-project main started", "cap-provider-project main done",
            ])
        let asked = await provider.asked.count
        let again = try await run(desk, [target(provider)])
        #expect(again.allSatisfy { $0.isOld })
        #expect(await provider.asked.count == asked)
        #expect(await desk.told.count == 4)
    }

    @Test func whereAKeyCannotBeDeletedAloneItsAccountGoes() async throws {
        let (desk, provider) = (Desk(), await provider())
        await provider.expect("deleteKey", .refused(SourceFailure(.refused, "please delete the service account")))
        let reports = try await run(desk, [target(provider)])
        #expect(reports[0].outcome.detail.contains("deleted service account svc_1"))
        #expect(await provider.accounts.isEmpty)
    }

    @Test func whatFailsKeepsNothingElseFromBeingTriedAndIsTriedAgain() async throws {
        let (desk, provider) = (Desk(), await provider())
        await provider.expect("deleteKey", .refused(SourceFailure(.notAuthorised, "Missing scopes")))
        let first = try await run(desk, [target(nil, "other"), target(provider)])
        #expect(first.map(\.outcome.word) == ["skipped", "refused", "skipped", "done"])
        #expect(first[1].failure == .notAuthorised && first[1].outcome.detail.contains("Missing scopes"))
        let second = try await run(desk, [target(provider)])
        #expect(second.map(\.outcome.word) == ["done", "done"] && second.map(\.isOld) == [false, true])
        #expect(await provider.workingKeys == [])
    }

    @Test func aKeyThatIsGoneIsDone() async throws {
        let (desk, provider) = (Desk(), await provider())
        _ = try await provider.deleteServiceAccount("svc_1", of: "proj_1")
        let reports = try await run(desk, [target(provider)])
        #expect(reports[0].outcome == .done("key key_1 in proj_1 was gone already"))
    }

    @Test func aDrillReadsAndChangesNothing() async throws {
        let (desk, provider) = (Desk(isDisabled: false), await provider())
        let reports = try await run(desk, [target(provider)], isDrill: true)
        #expect(reports.map(\.outcome.word) == ["rehearsed", "rehearsed"])
        #expect(reports[0].outcome.detail == "key key_1 of service account svc_1 in proj_1 would be deleted")
        #expect(await provider.workingKeys == ["sk-1"])
        #expect(await provider.limits.isEmpty)
        #expect(Set(await provider.asked) == ["keys", "spendLimit", "rateLimits"])
        #expect(await desk.told.count == 4)
        #expect(await desk.key.steps.isEmpty)
    }

    @Test func withoutTheConsentOfWhomItHitsNothingIsChanged() async throws {
        let (desk, provider) = (Desk(), await provider())
        let reports = try await run(desk, [target(provider)], objection: "it stops others")
        #expect(reports.map(\.outcome) == [.skipped("it stops others"), .skipped("it stops others")])
        #expect(await provider.asked.isEmpty)
        let confirmed = try await run(desk, [target(provider)])
        #expect(confirmed.map(\.outcome.word) == ["done", "done"])
    }

    @Test func whoElseStopsIsNamedAndWhereNobodyCanTellThatIsSaid() async throws {
        let provider = await provider()
        await provider.give(
            .init(id: "svc_9", name: "batch", project: "proj_1", keyID: "key_9", key: "sk-9"),
            in: ProviderProject(id: "proj_1", name: "chat"))
        #expect(await Emergency.others([target(provider)]) == ["key_9 in proj_1, the provider's project of main"])
        await provider.expect(
            "keys", .refused(SourceFailure(.unavailable, "away")), .refused(SourceFailure(.unavailable, "away")))
        #expect(await Emergency.others([target(provider)]).count == 1)
        var own = target(provider)
        own.serviceAccount = "svc_1"
        #expect(await Emergency.others([own]).isEmpty)
    }

    @Test func whatIsNotKnownIsSkippedWithTheCommandThatMendsIt() async throws {
        let (desk, provider) = (Desk(), await provider())
        let reports = try await run(desk, [target(provider, keyID: nil), target(provider, "b", projectID: nil)])
        #expect(reports.map(\.outcome.word) == ["skipped", "skipped", "done", "skipped"])
        #expect(reports[0].outcome.detail.contains("--provider-key-id"))
        #expect(reports[1].outcome.detail.contains("--provider-project-id"))
    }

    @Test func withoutSpendLimitsEveryModelIsSlowedDownAndThatIsSaid() async throws {
        let (desk, provider) = (Desk(), await provider(hasSpendLimits: false))
        let reports = try await run(desk, [target(provider)])
        #expect(reports[1].outcome.word == "done" && reports[1].outcome.detail.contains("does not cap"))
        #expect(reports[1].before == "spend_limit=none a=600/150000 b=60/15000")
        #expect(await provider.slowed == ["a", "b"])
    }

    @Test func ofSeveralModelsOneRefusalIsARefusal() async throws {
        let (desk, provider) = (Desk(), await provider(hasSpendLimits: false))
        await provider.expect("setLeast", .refused(SourceFailure(.unavailable, "an error")))
        let reports = try await run(desk, [target(provider)])
        #expect(reports[1].outcome.detail.hasPrefix("1 of 2 models slowed down; a: an error"))
        #expect(await provider.slowed == ["b"])
    }

    /// What the first attempt read is what has to be put back, not what it set itself.
    @Test func theFirstAttemptSaysWhatWasInForceBefore() async throws {
        let (desk, provider) = (Desk(), await provider())
        _ = try await provider.setSpendLimit(cents: 50_000, of: "proj_1")
        await provider.expect("setSpendLimit", .answerLost(SourceFailure(.unreachable, "no answer")))
        let first = try await run(desk, [target(provider)])
        #expect(first[1].outcome.word == "refused" && first[1].before == "spend_limit=50000")
        let second = try await run(desk, [target(provider)])
        #expect(second[1].outcome.word == "done" && second[1].before == "spend_limit=50000")
    }
}
