import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// A limit of a dollar a day on project `chat`, held by gateways that read one log.
@Suite struct BudgetTests {
    private typealias World = BudgetWorld
    private static let cent = BudgetWorld.cent
    private static let noon = BudgetWorld.noon

    /// What nobody can pay is asked for once, as any call that meets the limit, and not again and again.
    @Test func aBoundBeyondAllMeasureIsAskedForOnce() {
        var world = World(World.limit(100))
        let (first, _) = world.ask(1)
        world.end(first, cents: 1)
        let call = CallAttempt(call: "huge", attempt: 1, started: Self.noon)
        var asked = 0
        var answer = world.budget.reserve(call, project: "chat", bound: .max, at: Self.noon)
        while case .needsLease(let requests) = answer, asked < 10 {
            asked += 1
            for request in requests { world.grant(request, at: Self.noon) }
            answer = world.budget.reserve(call, project: "chat", bound: .max, at: Self.noon)
        }
        #expect(answer == .admitted && asked == 1, "\(answer) after \(asked)")
        guard case .refused = world.ask(1).answer else { return #expect(Bool(false), "all is set aside") }
    }

    @Test func aCorrectionChangesWhatIsSpent() {
        var world = World(World.limit(100))
        let (call, answer) = world.ask(120)
        #expect(answer == .admitted)
        world.end(call, cents: 120)
        guard case .refused = world.ask(50).answer else { return #expect(Bool(false), "120 of 100 are spent") }
        let dear = Gatewayed.call(call.call, by: "a", started: Self.noon, nanos: 120 * Self.cent)
        let cheap = Gatewayed.call(call.call, by: "a", started: Self.noon, nanos: 10 * Self.cent)
        world.tell(
            .callRepriced(
                .with {
                    $0.call = cheap
                    $0.previousCost = dear.cost
                }), to: "calls", at: Self.noon)
        #expect(world.ask(50).answer == .admitted)
    }

    @Test func aFirstPriceTakesThePlaceOfTheCautiousOne() {
        var world = World(World.limit(100), unpricedPerMillion: 1_000_000 * 120 * Self.cent)
        let (call, _) = world.ask(120)
        world.end(call, cents: nil, tokens: 1)
        guard case .refused = world.ask(50).answer else { return #expect(Bool(false), "120 of 100 are spent") }
        let cheap = Gatewayed.call(call.call, by: "a", started: Self.noon, nanos: 10 * Self.cent, tokens: 1)
        world.tell(.callRepriced(.with { $0.call = cheap }), to: "calls", at: Self.noon)
        #expect(world.ask(50).answer == .admitted)
    }

    @Test func withoutAHeldLimitEveryCallBegins() {
        var free = World()
        #expect(free.ask(1_000_000).answer == .admitted)
        var told = World(World.limit(100, policy: "alert"))
        #expect(told.ask(1_000_000).answer == .admitted)
        var elsewhere = World(World.limit(100))
        #expect(elsewhere.ask(1_000_000, project: "draw").answer == .admitted)
    }

    @Test func callsThatBeganBeforeTheirLimitCountTowardsIt() throws {
        var world = World()
        let (call, _) = world.ask(60)
        world.tell(World.limit(100), to: "any", at: Self.noon)
        #expect(world.ask(40).answer == .admitted)
        #expect(try reached(world.ask(1).answer).setAside.nanos == 100 * Self.cent)
        world.end(call, cents: 10)
        #expect(world.ask(50).answer == .admitted)
    }

    @Test func callsBeginUntilTheLimitAndOneMore() throws {
        var world = World(World.limit(100))
        for _ in 1...4 {
            let (call, answer) = world.ask(30)
            #expect(answer == .admitted)
            world.end(call, cents: 30)
        }
        let reached = try reached(world.ask(1).answer)
        #expect(reached.scope == .project("chat") && reached.window.kind == .day && reached.zone == "Asia/Seoul")
        #expect(reached.limit.nanos == 100 * Self.cent && reached.spent.nanos == 120 * Self.cent && reached.isSpent)
        // The next day of Seoul.
        #expect(reached.resets == Timestamp(seconds: 1_795_143_600 + 12 * 3_600))
        #expect(world.ask(30, at: reached.resets).answer == .admitted)
    }

    /// The part that it was let through with has room left, beyond the limit.
    @Test func afterTheCallThatMetTheLimitNoneBeginsHoweverSmall() throws {
        var world = World(World.limit(100))
        let (first, _) = world.ask(99)
        world.end(first, cents: 99)
        let (second, answer) = world.ask(30)
        #expect(answer == .admitted)
        world.end(second, cents: 2)
        #expect(try reached(world.ask(1).answer).isSpent)
    }

    @Test func whatCallsUnderWayMayCostIsSetAsideAndComesBack() throws {
        var world = World(World.limit(100))
        let first = world.ask(60)
        #expect(first.answer == .admitted && world.ask(60).answer == .admitted)
        let full = try reached(world.ask(1).answer)
        #expect(full.spent.nanos == 0 && full.setAside.nanos == 120 * Self.cent && !full.isSpent)
        world.end(first.call, cents: 1)
        #expect(world.ask(10).answer == .admitted)
    }

    @Test func aCallThatDidNotHappenCostsNothing() {
        var world = World(World.limit(100))
        for _ in 1...50 {
            let (call, answer) = world.ask(90)
            #expect(answer == .admitted)
            world.budget.release(call)
        }
        #expect(world.budget.reservationCount == 0)
    }

    @Test func aReservationExpires() {
        var world = World(World.limit(100))
        #expect(world.ask(100).answer == .admitted)
        guard case .refused = world.ask(1).answer else {
            Issue.record("a second call begins")
            return
        }
        let later = Self.noon.advanced(bySeconds: world.terms.reservationSeconds)
        #expect(world.ask(100, at: later).answer == .admitted)
        #expect(world.budget.reservationCount == 1)
    }

    @Test func aCallThatAKillCutShortIsSetAsideUntilItWouldHaveEnded() throws {
        var world = World(World.limit(100))
        let cut = CallAttempt(call: "cut", attempt: 1, started: Self.noon)
        let end = Self.noon.advanced(bySeconds: world.terms.reservationSeconds)
        #expect(!world.budget.knows(cut))
        // What had passed is told at once, by the same gateway; the rest of the bound may come yet.
        let event = Gatewayed.call("cut", by: "a", started: Self.noon, nanos: 10 * Self.cent)
        world.budget.settle(event)
        #expect(world.budget.knows(cut))
        world.budget.hold("chat", started: Self.noon, bound: 90 * Self.cent, until: end)
        let first = try reached(world.ask(1).answer)
        #expect(first.setAside.nanos == 90 * Self.cent && first.spent.nanos == 10 * Self.cent)
        #expect(first.heldUntil == end)
        // The log sends the record back.
        world.tell(.callRecorded(event), to: "calls", at: Self.noon)
        #expect(world.budget.knows(cut))
        #expect(try reached(world.ask(1).answer).setAside.nanos == 90 * Self.cent)
        #expect(world.ask(90, at: end).answer == .admitted)
        #expect(try reached(world.ask(1).answer).spent.nanos == 10 * Self.cent)
    }

    @Test func onlyWhereItIsInTheWayIsWhatAKillCutShortTheReason() throws {
        var world = World(World.limit(100))
        let end = Self.noon.advanced(bySeconds: world.terms.reservationSeconds)
        world.budget.hold("chat", started: Self.noon, bound: 10 * Self.cent, until: end)
        #expect(world.ask(100).answer == .admitted)
        // Without it nothing would be free either.
        #expect(try reached(world.ask(1).answer).heldUntil == nil)
    }

    @Test func whatIsHeldIsFreeAgainOneAfterTheOther() throws {
        var world = World(World.limit(100))
        func after(_ seconds: Int64) -> Timestamp { Self.noon.advanced(bySeconds: seconds) }
        // Said in no order, and two of them alike.
        for (cents, seconds) in [(30, 300), (20, 100), (10, 200), (10, 200), (30, 50)] as [(Int64, Int64)] {
            world.budget.hold("chat", started: Self.noon, bound: cents * Self.cent, until: after(seconds))
        }
        for (seconds, held) in [(0, 100), (50, 70), (100, 50), (200, 30)] as [(Int64, Int64)] {
            let (call, answer) = world.ask(100 - held, at: after(seconds))
            #expect(held == 100 || answer == .admitted)
            let reached = try reached(world.ask(1, at: after(seconds)).answer)
            #expect(reached.setAside.nanos == 100 * Self.cent && reached.heldUntil == after(300), "\(seconds)")
            world.budget.release(call)
        }
        #expect(world.ask(100, at: after(300)).answer == .admitted)
        #expect(try reached(world.ask(1, at: after(300)).answer).heldUntil == nil)
    }

    @Test func aCallCountsOnceWhoeverTellsItFirst() throws {
        var world = World(World.limit(100))
        let (call, _) = world.ask(60)
        let event = Gatewayed.call(call.call, by: "a", started: Self.noon, nanos: 60 * Self.cent)
        world.budget.settle(event)
        world.budget.settle(event)
        world.tell(.callRecorded(event), to: "calls", at: Self.noon)
        // After a restart the spool may still hold what the log has.
        world.budget.settle(event)
        _ = world.ask(60)
        #expect(try reached(world.ask(60).answer).spent.nanos == 60 * Self.cent)
    }

    @Test func aCallWithoutAPriceCountsByItsTokens() throws {
        var world = World(World.limit(100), unpricedPerMillion: 1_000 * Self.cent)
        #expect(world.budget.unpriced(tokens: 1) == Self.cent / 1_000)
        let (call, _) = world.ask(100)
        world.end(call, cents: nil, tokens: 100_000)
        #expect(try reached(world.ask(1).answer).spent.nanos == 100 * Self.cent)
    }

    @Test func everyScopeOfACallHoldsIt() throws {
        var world = World(World.limit(100), World.limit(50, .team("apps")), World.limit(40, .organisation))
        let (first, _) = world.ask(30)
        world.end(first, cents: 30)
        let (second, _) = world.ask(10, project: "draw")
        world.end(second, cents: 10, project: "draw")
        #expect(try reached(world.ask(1).answer).scope == .organisation)
        world.tell(Watched.removed(.organisation), to: "any", at: Self.noon)
        let (third, _) = world.ask(10, project: "draw")
        world.end(third, cents: 10, project: "draw")
        #expect(try reached(world.ask(1).answer).scope == .team("apps"))
        world.tell(
            .projectMoved(
                .with {
                    $0.project = "draw"
                    $0.team = "art"
                }), to: "any", at: Self.noon)
        #expect(world.ask(1).answer == .admitted)
    }

    @Test func aLimitThatIsLoweredHoldsAtOnce() throws {
        var world = World(World.limit(100))
        let (call, _) = world.ask(30)
        world.end(call, cents: 30)
        world.tell(World.limit(20), to: "any", at: Self.noon)
        #expect(try reached(world.ask(1).answer).limit.nanos == 20 * Self.cent)
        world.tell(World.limit(40), to: "any", at: Self.noon)
        #expect(world.ask(1).answer == .admitted)
    }

    /// Else all calls under way would leave room that they are still going to need.
    @Test func aClockThatIsSetAheadDoesNotEndCallsThatStillRun() {
        var world = World(World.limit(100))
        let ahead = Self.noon.advanced(bySeconds: 2 * 3_600)
        func ask(_ name: String, at now: Timestamp, running seconds: Int64) -> BudgetAnswer {
            let call = CallAttempt(call: name, attempt: 1, started: now)
            while true {
                let answer = world.budget.reserve(
                    call, project: "chat", bound: 100 * Self.cent, at: now, running: Timestamp(seconds: seconds))
                guard case .needsLease(let requests) = answer else { return answer }
                for request in requests { world.grant(request, at: now) }
            }
        }
        #expect(ask("c1", at: Self.noon, running: 1) == .admitted)
        guard case .refused = ask("c2", at: ahead, running: 2) else {
            Issue.record("the first call's part was given to a second one")
            return
        }
        // A call that was never heard of again holds nothing for ever.
        #expect(ask("c3", at: ahead, running: 902) == .admitted)
    }

    /// Pictures, sound and speech are charged by other units; without a price for those they have no tokens either.
    @Test func whatHasNeitherPriceNorTokensCountsAllTheSame() {
        let budget = Budget(gateway: "a", terms: BudgetTerms(unpricedPerMillion: 1_000_000_000))
        func cost(_ quantities: (inout WireQuantities) -> Void) -> Int64 {
            var event = Gatewayed.call("c", by: "a", started: Self.noon, nanos: nil)
            quantities(&event.quantities)
            return budget.cost(of: event)
        }
        #expect(cost { $0.characters = 3_000 } == 3_000_000)
        #expect(cost { $0.images = 2 } == 12_480_000)
        #expect(cost { ($0.images, $0.imageOutputTokens, $0.outputTokens) = (1, 500, 500) } == 500_000)
        #expect(cost { $0.seconds = 60 } == 1_200_000)
        #expect(cost { $0.inputTokens = -5 } == 0)
    }
}
