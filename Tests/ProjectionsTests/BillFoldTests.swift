import EventLog
import FinOps
import Testing

@testable import Projections

@Suite struct BillFoldTests {
    private func total(_ log: ScenarioLog, _ basis: CostQuery.Basis) throws -> Int128 {
        try log.query(from: "2026-11-01", to: "2026-11-30", basis: basis).total.cost
    }

    @Test func aBillInForceReplacesWhatWasMeteredInItsScopeOnly() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", nanos: 10)), recorded(usage("2026-11-20T03", nanos: 20)),
            recorded(usage("2026-11-19T20", project: "proj-2", nanos: 40)),
            allocated(
                day: "2026-11-19", project: "proj-1", item: "gpt-4o", nanos: 13,
                parts: [("2026-11-19T20", "key-a", "gpt-4o", 13)]),
        ])
        try await log.catchUp()
        #expect(try total(log, .best) == 70)
        try await log.append([tookForce(day: "2026-11-19", project: "proj-1")])
        try await log.catchUp()
        #expect(try total(log, .best) == 73)
        #expect(try total(log, .metered) == 70)
        #expect(try total(log, .billed) == 13)
        // Tokens stay the metered ones, in the group where they were used.
        let keys = try log.query([.key], from: "2026-11-01", to: "2026-11-30")
        #expect(keys.rows.map(\.sums.inputTokens) == [300])
        try await log.append([leftForce(day: "2026-11-19", project: "proj-1")])
        try await log.catchUp()
        #expect(try total(log, .best) == 70)
    }

    @Test func anAllocationReplacesItsRowsEarlierOne() async throws {
        let log = ScenarioLog()
        let parts = [("2026-11-19T20", "key-a", "gpt-4o", 6 as Int64), ("2026-11-19T21", "key-b", "gpt-4o", 7)]
        try await log.append([
            allocated(
                day: "2026-11-19", project: "proj-1", item: "gpt-4o", nanos: 13,
                parts: parts.map { ($0.0, $0.1, $0.2, $0.3) }),
            allocated(
                day: "2026-11-19", project: "proj-1", item: nil, nanos: 100, parts: [("2026-11-19T20", nil, nil, 100)]),
            allocated(
                day: "2026-11-19", project: "proj-1", item: "gpt-4o", nanos: 9,
                parts: [("2026-11-19T21", "key-a", "gpt-4o", 9)]),
        ])
        try await log.catchUp()
        #expect(try total(log, .billed) == 109)
        let live = try log.digest()
        #expect(try await log.rebuild() == live)
    }

    @Test func anAllocationThatDoesNotSumStopsTheProjection() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", nanos: 10)),
            allocated(day: "2026-11-19", project: nil, item: nil, nanos: 5, parts: [("2026-11-19T20", nil, nil, 4)]),
            recorded(usage("2026-11-19T21", nanos: 10)),
        ])
        await #expect(throws: ProjectionHalt.self) { try await log.catchUp() }
        #expect(try total(log, .best) == 10)
    }
}
