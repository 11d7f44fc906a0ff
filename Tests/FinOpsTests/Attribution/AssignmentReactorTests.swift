import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct AssignmentReactorTests {
    /// Plays events at positions 1, 2, … and keeps all that was answered.
    private func answers(_ events: FinOpsEvent...) throws -> [WireAttributionAssigned] {
        var reactor = AssignmentReactor()
        return try events.enumerated().flatMap { index, event in
            try reactor.react(to: event, at: Position(UInt64(index) + 1))
        }
    }

    private func index(_ answers: [WireAttributionAssigned]) -> AssignmentIndex {
        answers.reduce(into: AssignmentIndex()) { $0.evolve(.attributionAssigned($1)) }
    }

    private func owner(
        _ index: AssignmentIndex, _ at: String, key: String? = "k", project: String? = nil, account: String = "acme"
    ) -> String? {
        index.assignment(
            provider: "openai", account: account, key: key, providerProject: project, hour: hour(at, 0)
        ).map { "\($0.owner.team)/\($0.owner.project)" }
    }

    @Test func aMappedKeyBelongsToItsProjectFromTheBeginning() throws {
        let answers = try answers(
            Administered.project("P", team: "A"), Administered.connected("acme"), Administered.key("k", to: "P"))
        #expect(answers.count == 1)
        #expect(answers[0].version == 3 && !answers[0].hasFrom && answers[0].apiKeyID == "k")
        #expect(owner(index(answers), "1999-01-01") == "A/P")
        #expect(owner(index(answers), "1999-01-01", key: "other") == nil)
        #expect(owner(index(answers), "1999-01-01", account: "other") == nil)
    }

    @Test func aKeyBeatsItsProviderProjectAndANewerMappingAnOlderOne() throws {
        let index = index(
            try answers(
                Administered.project("P", team: "A"), Administered.project("Q", team: "B"),
                Administered.connected("acme"),
                Administered.providerProject("proj", to: "Q"), Administered.key("k", to: "P", from: "2026-03-01")))
        #expect(owner(index, "2026-02-28", project: "proj") == "B/Q")
        #expect(owner(index, "2026-03-01", project: "proj") == "A/P")
        #expect(owner(index, "2026-03-01", key: nil, project: "proj") == "B/Q")
    }

    @Test func aLaterMappingFromAnEarlierDayOverridesWhatCameBefore() throws {
        let index = index(
            try answers(
                Administered.project("P", team: "A"), Administered.project("Q", team: "B"),
                Administered.connected("acme"),
                Administered.key("k", to: "P", from: "2026-03-01"), Administered.key("k", to: "Q", from: "2026-01-01")))
        #expect(owner(index, "2025-12-31") == nil)
        #expect(owner(index, "2026-01-01") == "B/Q")
        #expect(owner(index, "2026-04-01") == "B/Q")
    }

    @Test func aMovedProjectTakesItsKeysAlongFromThatDayOn() throws {
        let answers = try answers(
            Administered.project("P", team: "A"), Administered.connected("acme"), Administered.key("k", to: "P"),
            Administered.moved("P", to: "B", from: "2026-03-01"))
        #expect(answers.count == 2)
        #expect(answers[1].version == 4)
        let index = index(answers)
        #expect(owner(index, "2026-02-28") == "A/P")
        #expect(owner(index, "2026-03-01") == "B/P")
    }

    @Test func aKeyMappedAfterItsProjectMovedHasBothTeams() throws {
        let answers = try answers(
            Administered.project("P", team: "A"), Administered.connected("acme"),
            Administered.moved("P", to: "B", from: "2026-03-01"), Administered.key("k", to: "P"))
        #expect(answers.map(\.version) == [4, 4])
        let index = index(answers.reversed())
        #expect(owner(index, "2026-02-28") == "A/P")
        #expect(owner(index, "2026-03-01") == "B/P")
    }

    @Test func aMoveDoesNotBringBackAKeyThatLeftTheProject() throws {
        let index = index(
            try answers(
                Administered.project("P", team: "A"), Administered.project("Q", team: "C"),
                Administered.connected("acme"),
                Administered.key("k", to: "P"), Administered.key("k", to: "Q", from: "2026-02-01"),
                Administered.moved("P", to: "B")))
        #expect(owner(index, "2026-01-31") == "B/P")
        #expect(owner(index, "2026-02-01") == "C/Q")
    }

    @Test func aConnectionMadeLaterLearnsOfEveryMapping() throws {
        let answers = try answers(
            Administered.project("P", team: "A"), Administered.key("k", to: "P"),
            Administered.providerProject("proj", to: "P"),
            Administered.connected("acme"), Administered.connected("other", provider: "anthropic"),
            Administered.connected("acme"))
        #expect(answers.count == 2)
        #expect(answers.allSatisfy { $0.account == "acme" && $0.version == 4 })
    }

    @Test func aMappingToAnUnknownProjectIsRefusedAndLeavesNoTrace() throws {
        var reactor = AssignmentReactor()
        _ = try reactor.react(to: Administered.connected("acme"), at: Position(1))
        #expect(throws: AssignmentReactor.Refusal.unknownProject("P")) {
            try reactor.react(to: Administered.key("k", to: "P"), at: Position(2))
        }
        #expect(reactor.directory.mappings.isEmpty)
    }

    @Test func whatWasAssignedBeforeACrashIsNotAssignedAgain() throws {
        let events = [
            Administered.project("P", team: "A"), Administered.connected("acme"), Administered.key("k", to: "P"),
        ]
        var first = AssignmentReactor()
        var answered: [WireAttributionAssigned] = []
        for (index, event) in events.enumerated() {
            answered += try first.react(to: event, at: Position(UInt64(index) + 1))
        }
        var second = AssignmentReactor()
        for event in events.prefix(2) { second.evolve(event) }
        for answer in answered { second.evolve(.attributionAssigned(answer)) }
        #expect(try second.react(to: events[2], at: Position(3)).isEmpty)
    }

    @Test(arguments: 1...20)
    func theIndexAgreesWithTheDirectoryWhateverHappens(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var reactor = AssignmentReactor()
        var index = AssignmentIndex()
        for project in ["P", "Q", "R"] { reactor.evolve(Administered.project(project, team: "A")) }
        reactor.evolve(Administered.connected("acme"))
        let days = (1...9).map { "2026-0\($0)-01" }
        for position in 1...40 {
            let from = Bool.random(using: &random) ? days.randomElement(using: &random) : nil
            let project = ["P", "Q", "R"].randomElement(using: &random) ?? "P"
            let event =
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    Administered.moved(project, to: ["A", "B", "C"].randomElement(using: &random) ?? "A", from: from)
                case 1: Administered.key("k", to: project, from: from)
                default: Administered.providerProject("proj", to: project, from: from)
                }
            for answer in try reactor.react(to: event, at: Position(UInt64(position))) {
                index.evolve(.attributionAssigned(answer))
            }
            for day in days {
                let moment = Timestamp(seconds: hour(day, 0))
                let wanted =
                    reactor.directory.ownership(of: .key("k"), provider: "openai").value(at: moment)
                    ?? reactor.directory.ownership(of: .providerProject("proj"), provider: "openai").value(at: moment)
                let found = index.assignment(
                    provider: "openai", account: "acme", key: "k", providerProject: "proj", hour: hour(day, 0))
                #expect(found?.owner == wanted, "seed \(seed), position \(position), \(day)")
            }
        }
    }
}
