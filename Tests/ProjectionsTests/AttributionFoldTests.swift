import EventLog
import FinOps
import Testing

@testable import Projections

@Suite struct AttributionFoldTests {
    private let days = ("2026-11-01", "2026-11-30")

    private func teams(_ log: ScenarioLog, _ by: [CostDimension] = [.team]) throws -> [[String?]: Int128] {
        let rows = try log.query(by, from: days.0, to: days.1).rows
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.dimensions, $0.sums.cost) })
    }

    @Test func aLateMappingReattributesWhatWasUnattributed() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", nanos: 10)), recorded(usage("2026-11-20T20", key: "key-b", nanos: 5)),
        ])
        try await log.catchUp()
        #expect(try teams(log) == [[nil]: 15])
        try await log.append([assigned(key: "key-a", team: "search", project: "ranking", version: 3)])
        try await log.catchUp()
        #expect(try teams(log) == [["search"]: 10, [nil]: 5])
        #expect(
            try teams(log, [.team, .project, .key]) == [["search", "ranking", "key-a"]: 10, [nil, nil, "key-b"]: 5])
    }

    @Test func aMovedKeyAppliesFromItsMomentOn() async throws {
        let log = ScenarioLog()
        try await log.append((0..<24).map { recorded(usage("2026-11-19T\($0)", nanos: 1)) })
        try await log.append([assigned(key: "key-a", team: "old", project: "p", version: 1)])
        try await log.append([
            assigned(key: "key-a", team: "new", project: "q", from: seconds("2026-11-19T18"), version: 2)
        ])
        try await log.catchUp()
        #expect(try teams(log) == [["old"]: 18, ["new"]: 6])
        #expect(try teams(log, [.team, .hour]).count == 24)
        try await log.append([
            recorded(usage("2026-11-18T23", nanos: 100)), recorded(usage("2026-11-20T01", nanos: 1_000)),
        ])
        try await log.catchUp()
        #expect(try teams(log) == [["old"]: 118, ["new"]: 1_006])
        let live = try log.digest()
        #expect(try await log.rebuild() == live)
    }

    @Test func aKeysOwnMappingBeatsItsProviderProjects() async throws {
        let log = ScenarioLog()
        var project = WireAttributionAssigned()
        project.provider = "openai"
        project.account = "acme"
        project.providerProjectID = "proj-1"
        project.team = "platform"
        project.project = "shared"
        project.version = 9
        try await log.append([
            recorded(usage("2026-11-19T20", nanos: 10)), recorded(usage("2026-11-19T20", key: "key-b", nanos: 5)),
            assigned(key: "key-a", team: "search", project: "ranking", version: 3), .attributionAssigned(project),
        ])
        try await log.catchUp()
        #expect(try teams(log) == [["search"]: 10, ["platform"]: 5])
        // A series that appears afterwards is attributed at once.
        try await log.append([recorded(usage("2026-11-21T20", key: "key-c", nanos: 2))])
        try await log.catchUp()
        #expect(try teams(log) == [["search"]: 10, ["platform"]: 7])
    }

    @Test func theGreatestVersionThatHasBegunCounts() {
        let timeline = AttributionRule.timeline(
            key: [
                Assignment(begins: 0, version: 1, owner: 1), Assignment(begins: 100, version: 2, owner: 2),
                Assignment(begins: 50, version: 3, owner: 3),
            ], project: [])
        #expect([0, 49, 50, 100, 500].map { timeline.owner(at: $0) } == [1, 1, 3, 3, 3])
    }
}
