import EventLog
import FinOps
import Testing

@Suite struct AdministrationTests {
    private func name(_ text: String) throws -> GivenName { try GivenName(text, field: "name") }

    /// Decides, takes the events into the state, and gives them back.
    private func run<D: Decider>(
        _ decider: D.Type, _ state: inout D.State, _ command: D.Command
    ) throws -> [FinOpsEvent] where D.Event == FinOpsEvent {
        let events = try D.decide(command, state)
        for event in events { D.evolve(&state, event) }
        return events
    }

    // MARK: Names

    @Test func namesThatLookTheSameAreTheSame() throws {
        #expect(try name("caf\u{65}\u{301}") == name("caf\u{E9}"))
        #expect(try name("\u{1100}\u{1161}").text.unicodeScalars.map(\.value) == [0xAC00])
        #expect(try name("검색 팀").text == "검색 팀")
    }

    @Test(arguments: ["", " a", "a ", "a\nb", "a\u{0}", "a\u{200B}b", "a\u{202E}b", String(repeating: "x", count: 121)])
    func whatIsNoNameIsRefusedWithItsPlace(text: String) {
        #expect(throws: MalformedName.self) { try name(text) }
    }

    @Test(arguments: ["none", "None", "NONE"])
    func theWordOfTheFiltersIsNobodysName(text: String) throws {
        let error = #expect(throws: MalformedName.self) { try GivenName(text, field: "team") }
        #expect(error?.description.contains("belongs to no one") == true)
        #expect(try name("nonesuch").text == "nonesuch")
    }

    @Test func theMessageNamesFieldAndPlace() throws {
        let error = #expect(throws: MalformedName.self) { try GivenName("ab\tc", field: "team") }
        #expect(error?.description == "team: it has the invisible character U+9 at place 3; leave it out")
    }

    // MARK: Teams and projects

    @Test func addingATeamAgainChangesNothing() throws {
        var teams = TeamRegister.initialState
        let plain = TeamRegister.Command(team: try name("search"), owner: nil, budget: nil, reason: "r")
        #expect(try run(TeamRegister.self, &teams, plain).count == 1)
        #expect(try run(TeamRegister.self, &teams, plain).isEmpty)
        var budgeted = plain
        budgeted.budget = Money(nanos: 5, currency: .usd)
        #expect(try run(TeamRegister.self, &teams, budgeted).count == 1)
        #expect(try run(TeamRegister.self, &teams, plain).isEmpty)
        #expect(teams["search"]?.budget.nanos == 5)
    }

    @Test func aProjectNeedsATeamThatExists() throws {
        let command = ProjectRegister.Command.add(
            try name("chat"), team: try name("search"), teams: ["support"], reason: "")
        #expect(throws: AdministrationRejection.unknownTeam("search", known: ["support"])) {
            try ProjectRegister.decide(command, [:])
        }
    }

    @Test func aProjectIsAddedOnceAndMovedByMoving() throws {
        var state = ProjectRegister.initialState
        let teams: Set = ["a", "b"]
        let (chat, a, b) = (try name("chat"), try name("a"), try name("b"))
        #expect(try run(ProjectRegister.self, &state, .add(chat, team: a, teams: teams, reason: "")).count == 1)
        #expect(try run(ProjectRegister.self, &state, .add(chat, team: a, teams: teams, reason: "")).isEmpty)
        #expect(throws: AdministrationRejection.projectBelongsElsewhere(project: "chat", team: "a")) {
            try ProjectRegister.decide(.add(chat, team: b, teams: teams, reason: ""), state)
        }
        let move = ProjectRegister.Command.move(chat, team: b, from: 100, teams: teams, reason: "")
        #expect(try run(ProjectRegister.self, &state, move).count == 1)
        #expect(try run(ProjectRegister.self, &state, move).isEmpty)
        #expect(state["chat"]?.value(at: 99) == "a")
        #expect(state["chat"]?.value(at: 100) == "b")
    }

    // MARK: Mappings

    private func map(
        _ key: String, to project: String, _ start: MappingRegister.Command.Start
    ) throws -> MappingRegister.Command {
        .init(
            provider: "openai", subject: .key(key), project: try name(project), start: start,
            projects: ["chat", "batch"], reason: "")
    }

    @Test func aKeyNeverMappedIsMappedFromTheBeginningAndLaterFromToday() throws {
        var state = MappingRegister.initialState
        let first = try run(MappingRegister.self, &state, map("k", to: "chat", .unsaid(startOfToday: 1_000)))
        guard case .keyMapped(let mapped) = try #require(first.first) else {
            Issue.record("\(first)")
            return
        }
        #expect(!mapped.hasFrom)
        #expect(try run(MappingRegister.self, &state, map("k", to: "chat", .unsaid(startOfToday: 2_000))).isEmpty)
        let moved = try run(MappingRegister.self, &state, map("k", to: "batch", .unsaid(startOfToday: 2_000)))
        guard case .keyMapped(let later) = try #require(moved.first) else {
            Issue.record("\(moved)")
            return
        }
        #expect(later.from == 2_000)
        #expect(state[.key("k")]?.value(at: 1_999) == "chat")
        #expect(try run(MappingRegister.self, &state, map("k", to: "batch", .unsaid(startOfToday: 3_000))).isEmpty)
    }

    @Test func aMappingThatChangesSomeHourIsAChange() throws {
        var state = MappingRegister.initialState
        _ = try run(MappingRegister.self, &state, map("k", to: "chat", .beginning))
        _ = try run(MappingRegister.self, &state, map("k", to: "batch", .at(500)))
        #expect(try run(MappingRegister.self, &state, map("k", to: "batch", .at(700))).isEmpty)
        // From 100 to 500 it was "chat".
        #expect(try run(MappingRegister.self, &state, map("k", to: "batch", .at(100))).count == 1)
        // It is "batch" after 500, so "chat" from the beginning is not what holds.
        #expect(try run(MappingRegister.self, &state, map("k", to: "chat", .beginning)).count == 1)
        #expect(state[.key("k")]?.latest == "chat")
    }

    @Test func keysAndProviderProjectsOfOneNameAreTwoSubjects() throws {
        var state = MappingRegister.initialState
        _ = try run(MappingRegister.self, &state, map("x", to: "chat", .beginning))
        var command = try map("x", to: "batch", .beginning)
        command.subject = .providerProject("x")
        #expect(try run(MappingRegister.self, &state, command).count == 1)
        #expect(state[.key("x")]?.latest == "chat")
    }

    @Test func anUnknownProjectIsRefused() throws {
        #expect(throws: AdministrationRejection.unknownProject("typo", known: ["batch", "chat"])) {
            try MappingRegister.decide(map("k", to: "typo", .beginning), [:])
        }
    }

    // MARK: Connections

    @Test func connectingAgainChangesNothingUnlessTheKeyChanged() throws {
        var state = ConnectionRegister.initialState
        var made = WireConnectionMade()
        made.provider = "openai"
        made.account = "acme"
        made.reason = "first"
        #expect(try run(ConnectionRegister.self, &state, .connect(made, keyChanged: true)).count == 1)
        made.reason = "again"
        #expect(try run(ConnectionRegister.self, &state, .connect(made, keyChanged: false)).isEmpty)
        #expect(try run(ConnectionRegister.self, &state, .connect(made, keyChanged: true)).count == 1)
        made.baseURL = "https://other/v1"
        #expect(try run(ConnectionRegister.self, &state, .connect(made, keyChanged: false)).count == 1)
        let remove = ConnectionRegister.Command.remove(provider: "openai", account: "acme", reason: "")
        #expect(try run(ConnectionRegister.self, &state, remove).count == 1)
        #expect(throws: AdministrationRejection.unknownConnection(provider: "openai", account: "acme")) {
            try ConnectionRegister.decide(remove, state)
        }
    }

    @Test(arguments: [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"), ("http://[::1]:9/x/y/", "http://[::1]:9/x/y"),
        ("https://proxy.example/openai/v1", "https://proxy.example/openai/v1"),
    ])
    func anAddressIsWhatStandsBeforeOrganization(text: String, address: String) throws {
        #expect(try ProviderAddress(text).text == address)
        #expect(try !ProviderAddress(text).isExposed)
    }

    @Test(arguments: [
        "", "api.openai.com", "ftp://x/v1", "https://", "https://user:hunter2@x/v1", "https://x/v1?key=hunter2",
        "https://x/#hunter2", "https://x:99999/", "https://x y/", "https://x/\nv1",
    ])
    func whatIsNoAddressIsRefusedWithoutRepeatingIt(text: String) {
        let error = #expect(throws: MalformedAddress.self) { try ProviderAddress(text) }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func anAddressWithoutEncryptionElsewhereIsExposed() throws {
        #expect(try ProviderAddress("http://collector.example").isExposed)
        for sham in ["127.0.0.1.example.com", "127.example.com", "localhost.example.com", "127.1", "0.0.0.0"] {
            #expect(try ProviderAddress("http://\(sham)").isExposed, "\(sham)")
        }
    }

    @Test func aQueryIsKeptOnlyWhereOneIsAllowed() throws {
        let text = "https://acme.openai.azure.com/openai/?api-version=2024-10-21"
        let kept = try ProviderAddress(text, mayHaveQuery: true)
        #expect(kept.text == "https://acme.openai.azure.com/openai?api-version=2024-10-21")
        #expect(throws: MalformedAddress.self) { try ProviderAddress(text) }
    }

    // MARK: Parked events

    @Test func aParkedEventIsRetriedOrSkippedOnce() throws {
        var state = DeadLetterBox.initialState
        var failure = WireProcessingFailed()
        failure.stage = "attributor"
        failure.position = 7
        DeadLetterBox.evolve(&state, .processingFailed(failure))
        let retry = DeadLetterBox.Command.retry(stage: "attributor", position: 7, reason: "fixed")
        #expect(try run(DeadLetterBox.self, &state, retry).count == 1)
        #expect(try run(DeadLetterBox.self, &state, retry).isEmpty)
        DeadLetterBox.evolve(&state, .processingFailed(failure))
        #expect(state[7]?.state == .parked)
        let skip = DeadLetterBox.Command.skip(stage: "attributor", position: 7, reason: "test data")
        #expect(try run(DeadLetterBox.self, &state, skip).count == 1)
        #expect(try run(DeadLetterBox.self, &state, skip).isEmpty)
        #expect(throws: AdministrationRejection.notParked(stage: "attributor", position: 8)) {
            try DeadLetterBox.decide(.retry(stage: "attributor", position: 8, reason: ""), state)
        }
    }
}
