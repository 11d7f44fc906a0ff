import EventLog
import TestSupport
import Testing

@testable import FinOps

@Suite struct ExpiryQueueTests {
    private static func time(_ seconds: Int64) -> Timestamp { Timestamp(seconds: seconds) }

    @Test func theyComeInTheOrderOfTheirEnd() {
        var queue = ExpiryQueue()
        for end in [5, 7, 6, 9, 1] as [Int64] {
            queue.add(CallAttempt(call: "\(end)", attempt: 1, started: Self.time(0)), at: Self.time(end))
        }
        #expect(queue.next(at: Self.time(0)) == nil)
        #expect(queue.next(at: Self.time(6))?.call == "1")
        queue.keep { attempt, _ in attempt.call != "6" }
        #expect(queue.count == 3)
        #expect((0..<4).map { _ in queue.next(at: Self.time(9))?.call } == ["5", "7", "9", nil])
    }

    @Test func oneThatIsSlowlyUsedKeepsNothingEither() {
        var queue = ExpiryQueue()
        for second in 1...20_000 as ClosedRange<Int64> {
            queue.add(
                CallAttempt(call: "\(second)", attempt: 1, started: Self.time(second)), at: Self.time(second + 900))
            while queue.next(at: Self.time(second)) != nil {}
        }
        #expect(queue.count < 4_000)
    }

    /// A quarter of an hour of calls would be a lot of memory.
    @Test func aBudgetForgetsThoseThatHaveEnded() {
        var world = BudgetWorld(BudgetWorld.limit(1_000_000))
        for number in 1...20_000 {
            let (call, answer) = world.ask(1)
            #expect(answer == .admitted)
            if number > 50 { world.budget.release(call) }
        }
        #expect((50...1_200).contains(world.budget.expiring.count))
        #expect(world.budget.reservationCount == 50)
        // Those that are left still end.
        _ = world.ask(1, at: BudgetWorld.noon.advanced(bySeconds: world.terms.reservationSeconds))
        #expect(world.budget.reservationCount == 1)
    }
}
