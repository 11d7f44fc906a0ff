import EventLog
import FinOps
import Secret
import Stages
import SwiftProtobuf
import Testing

@Suite struct ProvisionerTests {
    private static let name = "chat finops-0a1b2c3d"

    /// The log and the vault that outlive a crash.
    private actor Desk {
        private(set) var events: [FinOpsEvent] = []
        private(set) var vault: String?
        private var fate = Fate()

        init() {
            events = [
                .provisionStarted(
                    .with {
                        ($0.upstream, $0.project, $0.account) = ("chat", "chat", "acme")
                        $0.providerName = ProvisionerTests.name
                    })
            ]
        }

        func meet(_ fate: Fate) { self.fate = fate }

        var state: ProvisionRegister.State { ProvisionRegister.fold(events) }

        func record(_ command: ProvisionRegister.Command) async throws -> ProvisionRegister.State {
            events += try ProvisionRegister.decide(command, state)
            try await fate.strike()
            return state
        }

        func keep(_ secret: Secret) async throws -> UInt32 {
            vault = secret.withUTF8 { String(decoding: $0, as: UTF8.self) }
            try await fate.strike()
            return 1
        }

        nonisolated var book: Provisioner.Book {
            Provisioner.Book(
                record: { try await self.record($0) }, keep: { try await self.keep($0) }, pause: { _ in })
        }
    }

    private func make(_ provider: FakeProvider, _ desk: Desk) async throws -> ProvisionRegister.Provision {
        try await Provisioner(provider, desk.book).make(try #require(await desk.state))
    }

    private func expectWhole(_ provider: FakeProvider, _ desk: Desk, _ when: String) async throws {
        let state = try #require(await desk.state)
        let account = try #require(state.account)
        let accounts = await provider.accounts
        #expect(accounts.map(\.id) == [account.serviceAccountID], "\(when)")
        #expect(await provider.workingKeys == [await desk.vault], "\(when)")
        #expect(await provider.projects.map(\.id) == [state.projectID], "\(when)")
    }

    @Test func aProjectAnAccountAndItsKeyAreMadeOnce() async throws {
        let (provider, desk) = (FakeProvider(), Desk())
        let made = try await make(provider, desk)
        #expect(made.projectID == "proj_1" && made.account?.providerKeyID == "key_2")
        try await expectWhole(provider, desk, "at first")
        let asked = await provider.asked.count
        #expect(try await make(provider, desk) == made)
        #expect(await provider.asked.count == asked, "a repeat asks nobody")
    }

    /// After each deed of the run in turn the machine dies; the next run must leave exactly one of everything, with its key
    /// in the vault.
    @Test func whereverItDiesTheNextRunLeavesNoKeyThatNobodyKnows() async throws {
        var deeds = 0
        while true {
            let (provider, desk) = (FakeProvider(), Desk())
            let fate = Fate(after: deeds)
            await provider.meet(fate)
            await desk.meet(fate)
            do {
                _ = try await make(provider, desk)
                break
            } catch {}
            await provider.meet(Fate())
            await desk.meet(Fate())
            _ = try await make(provider, desk)
            try await expectWhole(provider, desk, "died after \(deeds) deeds")
            deeds += 1
        }
        #expect(deeds >= 7, "each deed was the last one once: \(deeds)")
    }

    @Test func aLostAnswerIsLookedForBeforeAnythingIsMadeAgain() async throws {
        for kind in [SourceFailure.Kind.unreachable, .unavailable, .malformedAnswer] {
            let (provider, desk) = (FakeProvider(), Desk())
            await provider.expect("createProject", .answerLost(SourceFailure(kind, "no answer")))
            await provider.expect("createServiceAccount", .answerLost(SourceFailure(kind, "no answer")))
            _ = try await make(provider, desk)
            try await expectWhole(provider, desk, "\(kind)")
            let types = await desk.events.map(\.type.text)
            #expect(
                types == [
                    "provision.started", "provision.project-made", "provision.account-deleted",
                    "provision.account-made",
                ])
        }
    }

    @Test func aKeyThatTheVaultHasLostIsReplaced() async throws {
        let (provider, desk) = (FakeProvider(), Desk())
        let made = try await make(provider, desk)
        let again = try await Provisioner(provider, desk.book).make(made, isKeyKept: false)
        #expect(again.account?.serviceAccountID != made.account?.serviceAccountID)
        try await expectWhole(provider, desk, "afterwards")
    }

    @Test func aRefusalEndsItAndTheNextRunGoesOn() async throws {
        let (provider, desk) = (FakeProvider(), Desk())
        let refusal = SourceFailure(.notAuthorised, "Missing scopes")
        await provider.expect("createServiceAccount", .refused(refusal))
        await #expect(throws: refusal) { _ = try await make(provider, desk) }
        #expect(await desk.state?.projectID == "proj_1")
        _ = try await make(provider, desk)
        try await expectWhole(provider, desk, "afterwards")
    }

    @Test func whatWasMadeIsTakenBackWhereverThatDies() async throws {
        var deeds = 0
        while true {
            let (provider, desk) = (FakeProvider(), Desk())
            _ = try await make(provider, desk)
            let fate = Fate(after: deeds)
            await provider.meet(fate)
            await desk.meet(fate)
            let provisioner = Provisioner(provider, desk.book)
            do {
                try await provisioner.withdraw(try #require(await desk.state), reason: "gone")
                break
            } catch {}
            await provider.meet(Fate())
            await desk.meet(Fate())
            if let state = await desk.state { try await provisioner.withdraw(state, reason: "gone") }
            #expect(await provider.workingKeys == [])
            #expect(await provider.projects.allSatisfy(\.isArchived))
            #expect(await desk.state == nil)
            deeds += 1
        }
        #expect(deeds >= 6, "\(deeds)")
    }

    @Test func aRunThatDiedBeforeItToldIsTakenBackByName() async throws {
        let (provider, desk) = (FakeProvider(), Desk())
        _ = try await provider.createProject(named: Self.name)
        _ = try await provider.createServiceAccount(named: Self.name, in: "proj_1")
        try await Provisioner(provider, desk.book).withdraw(try #require(await desk.state), reason: "")
        #expect(await provider.workingKeys == [])
        #expect(await provider.accounts.isEmpty)
    }

    @Test func keysThatOthersMadeInItsProjectAreNamed() async throws {
        let (provider, desk) = (FakeProvider(), Desk())
        let made = try await make(provider, desk)
        _ = try await provider.createServiceAccount(named: "somebody's", in: try #require(made.projectID))
        let others = try await Provisioner(provider, desk.book).others(made)
        #expect(others.map(\.id) == ["key_3"])
    }
}
