import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// Calls whose answers are made in the background, against a limit of a dollar a day.
@Suite struct PendingAnswersTests {
    private typealias World = BudgetWorld
    private static let cent = BudgetWorld.cent
    private static let noon = BudgetWorld.noon

    /// One that was begun through a gateway, of which nothing else is known.
    private func begun(_ answer: String, bound cents: Int64, by gateway: String, _ call: CallAttempt)
        -> WireCallRecorded
    {
        var event = Gatewayed.call(call.call, by: gateway, started: Self.noon, nanos: 0)
        event.pendingAnswer = answer
        event.bound = Money(nanos: cents * Self.cent, currency: .usd).wire
        return event
    }

    private func fetched(_ answer: String, cents: Int64, by gateway: String) -> WireCallRecorded {
        var event = Gatewayed.call(
            "fetch-\(answer)-\(gateway)", by: gateway, started: Self.noon, nanos: cents * Self.cent)
        event.countsOnce = answer
        return event
    }

    private func ended(_ answer: String) -> WireCallRecorded {
        var event = Gatewayed.call("ended-\(answer)", by: "b", started: Self.noon, nanos: 0)
        event.pendingAnswer = answer
        return event
    }

    @Test func whatIsMadeInTheBackgroundCountsWithItsBoundUntilItIsFetched() throws {
        var world = World(World.limit(100))
        for number in 1...2 {
            let (call, answer) = world.ask(60)
            #expect(answer == .admitted)
            let event = begun("resp_\(number)", bound: 60, by: "a", call)
            world.budget.settle(event)
            world.tell(.callRecorded(event), to: "calls", at: Self.noon)
        }
        #expect(try reached(world.ask(1).answer).isSpent)
        // Through whichever gateway, and whatever becomes of the answer.
        world.tell(.callRecorded(fetched("resp_1", cents: 3, by: "b")), to: "calls", at: Self.noon)
        #expect(world.ask(20).answer == .admitted)
        world.tell(.callRecorded(ended("resp_2")), to: "calls", at: Self.noon)
        #expect(world.ask(70).answer == .admitted)
    }

    @Test func anAnswersEndMayComeBeforeItsBeginning() {
        var world = World(World.limit(100))
        world.tell(.callRecorded(fetched("resp_1", cents: 3, by: "b")), to: "calls", at: Self.noon)
        let (call, _) = world.ask(90)
        let event = begun("resp_1", bound: 90, by: "a", call)
        world.budget.settle(event)
        world.tell(.callRecorded(event), to: "calls", at: Self.noon)
        #expect(world.ask(90).answer == .admitted)
    }

    @Test func itIsHeldAfterARestart() throws {
        let terms = BudgetTerms(unpricedPerMillion: 0)
        var state = GatewayState(gateway: "a", terms: terms)
        var log = TestLog()
        func tell(_ event: FinOpsEvent, _ state: inout GatewayState) {
            if let recorded = log.append(event, to: "any", at: Self.noon) { state.take(event, recorded) }
        }
        tell(Gatewayed.added("chat", team: "apps"), &state)
        tell(World.limit(100), &state)
        let call = CallAttempt(call: "c", attempt: 1, started: Self.noon)
        tell(.callRecorded(begun("resp_1", bound: 100, by: "b", call)), &state)
        tell(.callRecorded(fetched("resp_2", cents: 0, by: "b")), &state)
        var back = try #require(GatewayState(snapshot: try state.snapshot(), gateway: "a", terms: terms))
        back.budget.beginSpending(at: Self.noon)
        let probe = CallAttempt(call: "probe", attempt: 1, started: Self.noon)
        _ = try reached(back.budget.reserve(probe, project: "chat", bound: Self.cent, at: Self.noon))
        // The one ends, and the other one's beginning is late.
        tell(.callRecorded(ended("resp_1")), &back)
        tell(.callRecorded(begun("resp_2", bound: 100, by: "b", call)), &back)
        guard case .needsLease = back.budget.reserve(probe, project: "chat", bound: Self.cent, at: Self.noon) else {
            Issue.record("something is still held")
            return
        }
    }
}
