import EventLog
import FinOps
import Stages
import TestSupport
import Testing

@Suite struct UnexplainedConditionsTests {
    @Test func aConditionIsRaisedAndEndedOnceHoweverOftenItIsLookedAt() async throws {
        let bench = WatchBench()
        let conditions = UnexplainedConditions(store: bench.store, above: 1_000_000_000)
        func tell(_ unexplained: Int128) async throws {
            let found = UnexplainedWatch.Finding(
                provider: "openai", day: day("2026-11-18"), unexplained: unexplained, whole: 1_000)
            try await conditions.tell([found], at: bench.clock.now())
        }
        for unexplained: Int128 in [10, 11, 12, 12, 9, 0, 500] { try await tell(unexplained) }
        let told = try await bench.recorded(["condition.raised", "condition.ended"])
        #expect(told.map(\.type.text) == ["condition.raised", "condition.ended", "condition.raised"])
        #expect(told.allSatisfy { $0.stream == .conditions("costs-unexplained") })
    }
}
