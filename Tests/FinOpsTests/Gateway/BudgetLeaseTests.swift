import EventLog
import FinOps
import TestSupport
import Testing

/// A limit that several gateways spend from, each from the part that the log has given it.
@Suite struct BudgetLeaseTests {
    private typealias World = BudgetWorld
    private static let cent = BudgetWorld.cent
    private static let noon = BudgetWorld.noon

    @Test func theLogIsAskedSeldomFarFromTheLimitAndForEachCallNearIt() {
        var world = World(World.limit(100_000))
        var requests = 0
        for _ in 1...1_000 {
            let call = CallAttempt(call: "c\(requests)-\(world.calls)", attempt: 1, started: Self.noon)
            world.calls += 1
            while case .needsLease(let asked) = world.budget.reserve(
                call, project: "chat", bound: 10 * Self.cent, at: Self.noon)
            {
                requests += 1
                for request in asked { world.grant(request, at: Self.noon) }
            }
            world.end(call, cents: 1)
        }
        #expect(requests == 1)
    }

    @Test func whileTheLogIsAskedOthersWait() {
        var world = World(World.limit(100))
        let calls = (1...3).map { CallAttempt(call: "c\($0)", attempt: 1, started: Self.noon) }
        func ask(_ place: Int, _ budget: inout Budget) -> BudgetAnswer {
            budget.reserve(calls[place], project: "chat", bound: 10 * Self.cent, at: Self.noon)
        }
        guard case .needsLease(let requests) = ask(0, &world.budget) else {
            Issue.record("no lease is asked for")
            return
        }
        #expect(ask(1, &world.budget) == .waiting && ask(2, &world.budget) == .waiting)
        for request in requests { world.grant(request, at: Self.noon) }
        #expect(ask(0, &world.budget) == .admitted)
        // The next part is asked for with those in mind who waited.
        guard case .needsLease(let more) = ask(1, &world.budget) else {
            Issue.record("no second lease is asked for")
            return
        }
        for request in more { world.grant(request, at: Self.noon) }
        #expect(ask(1, &world.budget) == .admitted)
        #expect(ask(2, &world.budget) == .admitted)
    }

    @Test func aRunSpendsNothingThatAnEarlierOneWasGiven() throws {
        var world = World(World.limit(100))
        #expect(world.ask(10).answer == .admitted)
        let granted = try #require(world.ownLeases.last)
        // The run that is killed may have given some of it back, and the next would not know.
        var next = Budget(gateway: "a", terms: world.terms)
        for (event, recorded) in world.log.events { next.take(event, recorded) }
        func ask(_ name: String) -> BudgetAnswer {
            let call = CallAttempt(call: name, attempt: 1, started: Self.noon)
            return next.reserve(call, project: "chat", bound: 10 * Self.cent, at: Self.noon)
        }
        // Until it knows what the log knew when it began, it asks for nothing, however often it is asked.
        for _ in 0..<20 { #expect(ask("next") == .waiting && ask("other") == .waiting) }
        #expect(next.maintain(at: Self.noon).isEmpty)
        next.beginSpending(at: Self.noon)
        let answer = ask("next")
        guard case .needsLease(let requests) = answer else {
            Issue.record("\(granted) of the earlier run: \(answer)")
            return
        }
        // For this one alone: of those that were told to wait by then, who is still here asks again.
        #expect(requests.map(\.event.amount.nanos) == [10 * Self.cent])
        world.budget = next
        for request in requests { world.grant(request, at: Self.noon) }
        next = world.budget
        #expect(ask("next") == .admitted)
    }

    /// Nobody calls any more, and calls are under way: whatever else is said, others must not take what these may cost.
    @Test(arguments: ["nothing", "a project", "a limit", "a clock that jumped"])
    func whatIsUnderWayIsLeasedUntilItEnds(_ event: String) throws {
        var world = World(World.limit(100))
        let (call, answer) = world.ask(60)
        #expect(answer == .admitted)
        var now = Self.noon.advanced(bySeconds: 5)
        switch event {
        case "a project": world.tell(Gatewayed.added("other", team: "apps"), to: "any", at: now)
        case "a limit": world.tell(World.limit(110), to: "any", at: now)
        case "a clock that jumped": now = now.advanced(bySeconds: 2 * world.terms.leaseSeconds)
        default: break
        }
        for _ in 0..<300 {
            now = now.advanced(bySeconds: 1)
            for request in world.budget.maintain(at: now, running: Self.noon) { world.grant(request, at: now) }
            #expect(world.ownPart(at: now) >= 60 * Self.cent, "\(now)")
        }
        #expect(world.ownLeases.count < 10)
        // Said or not, it is over after its time, and no part is kept for it.
        if event == "nothing" { world.budget.release(call) }
        let over = Self.noon.advanced(bySeconds: world.terms.reservationSeconds)
        for _ in 0..<200 {
            now = now.advanced(bySeconds: 1)
            for request in world.budget.maintain(at: now, running: over) { world.grant(request, at: now) }
        }
        #expect(world.ownPart(at: now) == 0)
    }

    @Test func afterTheLogWasAwayOthersHaveTimeToSayWhatIsUnderWay() throws {
        var world = World(World.limit(100))
        world.others("b", lease: 90, until: Self.noon.seconds + 60)
        let late = Self.noon.advanced(bySeconds: 70)
        world.budget.logIsAway(at: late)
        let soon = late.advanced(bySeconds: world.terms.graceSeconds - 1)
        #expect(world.ask(10, at: soon).answer == .admitted)
        #expect(try reached(world.ask(1, at: soon).answer).setAside.nanos == 100 * Self.cent)
        #expect(world.ask(90, at: late.advanced(bySeconds: world.terms.graceSeconds)).answer == .admitted)
    }

    @Test func anotherGatewaysPartIsNotSpentUntilItEnds() throws {
        var world = World(World.limit(100))
        world.others("b", lease: 100, until: Self.noon.seconds + 60)
        let taken = try reached(world.ask(1).answer)
        #expect(taken.setAside.nanos == 100 * Self.cent && !taken.isSpent)
        #expect(world.ask(1, at: Self.noon.advanced(bySeconds: 60)).answer == .admitted)
    }

    @Test func ofAPartThatEndedWhatWasSpentStaysSpent() throws {
        var world = World(World.limit(100))
        world.others("b", lease: 100, until: Self.noon.seconds + 60)
        world.tell(
            .callRecorded(Gatewayed.call("b1", by: "b", started: Self.noon, nanos: 95 * Self.cent)), to: "calls",
            at: Self.noon)
        let later = Self.noon.advanced(bySeconds: 60)
        let (call, answer) = world.ask(5, at: later)
        #expect(answer == .admitted)
        world.end(call, cents: 5, at: later)
        #expect(try reached(world.ask(1, at: later).answer).isSpent)
    }

    /// A caller names its calls by an idempotency key, and may give all of them the same.
    @Test func callsOfOneNameHoldEachTheirOwnPart() {
        var world = World(World.limit(100))
        let calls = (0..<20).map { CallAttempt(call: "same", attempt: 1, started: Self.noon.advanced(bySeconds: $0)) }
        let admitted = calls.filter { call in
            while true {
                let answer = world.budget.reserve(call, project: "chat", bound: 10 * Self.cent, at: Self.noon)
                guard case .needsLease(let requests) = answer else { return answer == .admitted }
                for request in requests { world.grant(request, at: Self.noon) }
            }
        }
        #expect(admitted.count == 10 && world.budget.reservationCount == 10)
        // They end while the log is away: each counts.
        for call in admitted {
            let started = Timestamp(microseconds: call.started)
            world.budget.settle(
                Gatewayed.call("same", by: "a", project: "chat", started: started, nanos: 10 * Self.cent))
        }
        #expect(world.budget.reservationCount == 0)
        guard case .refused(let reached) = world.ask(1).answer else {
            Issue.record("the limit is not reached")
            return
        }
        #expect(reached.isSpent)
    }

    @Test func theLogsAnswerMayBeLost() {
        var world = World(World.limit(100))
        let call = CallAttempt(call: "c1", attempt: 1, started: Self.noon)
        guard
            case .needsLease(let requests) = world.budget.reserve(
                call, project: "chat", bound: Self.cent, at: Self.noon)
        else {
            Issue.record("no lease is asked for")
            return
        }
        for request in requests {
            let recorded = world.log.append(
                .budgetLeased(request.event), to: request.stream, at: Self.noon, expected: request.expected)
            world.budget.failed(request)
            if let recorded { world.budget.take(.budgetLeased(request.event), recorded) }
        }
        #expect(world.budget.reserve(call, project: "chat", bound: Self.cent, at: Self.noon) == .admitted)
    }

    @Test func aPartThatIsUsedIsExtendedAndOneThatIsNotIsLeftToEnd() {
        var world = World(World.limit(100))
        let (call, _) = world.ask(10)
        let late = Self.noon.advanced(bySeconds: 70)
        let extended = world.budget.maintain(at: late)
        #expect(extended.map(\.event.expires) == [late.seconds + 120])
        for request in extended { world.grant(request, at: late) }
        world.end(call, cents: 10)
        #expect(world.budget.maintain(at: late.advanced(bySeconds: 70)).isEmpty)
    }

    @Test func whatIsNotNeededIsGivenBackWhenOthersNeedIt() throws {
        var world = World(World.limit(1_000))
        let (call, _) = world.ask(10)
        world.end(call, cents: 1)
        world.others("b", lease: 990, until: Self.noon.seconds + 120)
        let idle = Self.noon.advanced(bySeconds: 30)
        var parts: [Int64] = []
        while let request = world.budget.maintain(at: idle).first {
            parts.append(request.event.amount.nanos / Self.cent)
            world.grant(request, at: idle)
        }
        #expect(parts == [65, 1])
    }

    /// Others are refused as long as the log has the old part.
    @Test func whatTheLogDidNotTakeIsGivenBackAgain() throws {
        var world = World(World.limit(1_000))
        let (call, _) = world.ask(10)
        world.end(call, cents: 1)
        world.others("b", lease: 990, until: Self.noon.seconds + 120)
        let idle = Self.noon.advanced(bySeconds: 30)
        let first = try #require(world.budget.maintain(at: idle).first)
        // The other one was faster, and all sums are made anew meanwhile.
        world.others("b", lease: 995, until: Self.noon.seconds + 120)
        #expect(!world.budget.isCurrent(first, at: idle))
        world.budget.failed(first)
        world.tell(Gatewayed.added("other", team: "apps"), to: "any", at: idle)
        while let request = world.budget.maintain(at: idle).first { world.grant(request, at: idle) }
        #expect(world.ownPart(at: idle) == Self.cent)
    }

    /// Of an older request: the newer one is still on its way.
    @Test func aFailureConcernsItsOwnRequestAlone() throws {
        var world = World(World.limit(100))
        func ask(_ name: String, at now: Timestamp) -> BudgetAnswer {
            world.budget.reserve(
                CallAttempt(call: name, attempt: 1, started: now), project: "chat", bound: Self.cent, at: now)
        }
        guard case .needsLease(let old) = ask("a", at: Self.noon) else { throw NoLease() }
        let later = Self.noon.advanced(bySeconds: 11)
        guard case .needsLease(let new) = ask("b", at: later) else { throw NoLease() }
        #expect(world.budget.isCurrent(old[0], at: later) && world.budget.isCurrent(new[0], at: later))
        #expect(!world.budget.isCurrent(old[0], at: Self.noon.advanced(bySeconds: world.terms.leaseSeconds)))
        world.budget.failed(old[0])
        #expect(ask("c", at: later) == .waiting)
        world.budget.failed(new[0])
        guard case .needsLease = ask("d", at: later) else { throw NoLease() }
    }

    private struct NoLease: Error {}

    /// The log may have taken it, so others may count on the rest.
    @Test func whatIsGivenBackIsNotSpentWhileTheAnswerIsDue() throws {
        var world = World(World.limit(1_000))
        let (call, _) = world.ask(10)
        world.end(call, cents: 1)
        world.others("b", lease: 700, until: Self.noon.seconds + 120)
        let idle = Self.noon.advanced(bySeconds: 30)
        let request = try #require(world.budget.maintain(at: idle).first)
        let room = request.event.amount.nanos / Self.cent - 1
        let next = CallAttempt(call: "next", attempt: 1, started: idle)
        #expect(
            world.budget.reserve(next, project: "chat", bound: (room + 1) * Self.cent, at: idle) == .waiting)
        world.budget.failed(request)
        guard
            case .needsLease = world.budget.reserve(next, project: "chat", bound: (room + 1) * Self.cent, at: idle)
        else {
            Issue.record("it is spent without a lease")
            return
        }
        #expect(world.budget.reserve(next, project: "chat", bound: room * Self.cent, at: idle) == .admitted)
    }

    /// Who has a part gives back only what others want, and a newcomer has none by which it would be known.
    @Test func whoComesLateMakesItselfKnown() throws {
        var world = World(World.limit(100))
        world.others("b", lease: 100, until: Self.noon.seconds + 120)
        let (_, answer) = world.ask(1)
        let taken = try reached(answer)
        #expect(!taken.isSpent)
        #expect(world.ownLeases == [0], "it asked for nothing, once")
        _ = try reached(world.ask(1).answer)
        #expect(world.ownLeases == [0])

        // And whoever has more than it needs hears of it.
        var rich = World(World.limit(100))
        let (call, _) = rich.ask(10)
        rich.end(call, cents: 1)
        rich.others("b", lease: 0, until: Self.noon.seconds + 120)
        let idle = Self.noon.advanced(bySeconds: 6)
        for request in rich.budget.maintain(at: idle) { rich.grant(request, at: idle) }
        #expect(try #require(rich.ownLeases.last) < 25 * Self.cent)
    }
}
