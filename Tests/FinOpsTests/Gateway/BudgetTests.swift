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

    private static func limit(
        _ cents: Int64, _ scope: CostScope = .project("chat"), policy: String = "block"
    ) -> FinOpsEvent {
        Watched.threshold(scope, daily: cents, policy: policy)
    }

    private func reached(_ answer: BudgetAnswer) throws -> LimitReached {
        guard case .refused(let reached) = answer else { throw Unrefused(answer: answer) }
        return reached
    }

    private struct Unrefused: Error { let answer: BudgetAnswer }

    /// What nobody can pay is asked for once, as any call that meets the limit, and not again and again.
    @Test func aBoundBeyondAllMeasureIsAskedForOnce() {
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100), unpricedPerMillion: 1_000_000 * 120 * Self.cent)
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
        var told = World(Self.limit(100, policy: "alert"))
        #expect(told.ask(1_000_000).answer == .admitted)
        var elsewhere = World(Self.limit(100))
        #expect(elsewhere.ask(1_000_000, project: "draw").answer == .admitted)
    }

    @Test func callsBeginUntilTheLimitAndOneMore() throws {
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100))
        let (first, _) = world.ask(99)
        world.end(first, cents: 99)
        let (second, answer) = world.ask(30)
        #expect(answer == .admitted)
        world.end(second, cents: 2)
        #expect(try reached(world.ask(1).answer).isSpent)
    }

    @Test func whatCallsUnderWayMayCostIsSetAsideAndComesBack() throws {
        var world = World(Self.limit(100))
        let first = world.ask(60)
        #expect(first.answer == .admitted && world.ask(60).answer == .admitted)
        let full = try reached(world.ask(1).answer)
        #expect(full.spent.nanos == 0 && full.setAside.nanos == 120 * Self.cent && !full.isSpent)
        world.end(first.call, cents: 1)
        #expect(world.ask(10).answer == .admitted)
    }

    @Test func aCallThatDidNotHappenCostsNothing() {
        var world = World(Self.limit(100))
        for _ in 1...50 {
            let (call, answer) = world.ask(90)
            #expect(answer == .admitted)
            world.budget.release(call)
        }
        #expect(world.budget.reservationCount == 0)
    }

    @Test func aReservationExpires() {
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100))
        let cut = CallAttempt(call: "cut", attempt: 1, started: Self.noon)
        let told = CallAttempt(call: "told", attempt: 1, started: Self.noon)
        let end = Self.noon.advanced(bySeconds: world.terms.reservationSeconds)
        for attempt in [cut, told] {
            world.budget.hold(attempt, project: "chat", bound: 50 * Self.cent, until: end)
            // The same again, as where a start is cut short, too.
            world.budget.hold(attempt, project: "chat", bound: 50 * Self.cent, until: end)
        }
        #expect(try reached(world.ask(1).answer).setAside.nanos == 100 * Self.cent)
        // Its record had reached the log after all.
        world.end(told, cents: 10)
        #expect(world.ask(40).answer == .admitted)
        #expect(try reached(world.ask(1).answer).spent.nanos == 10 * Self.cent)
        #expect(world.ask(90, at: end).answer == .admitted)
    }

    @Test func aCallCountsOnceWhoeverTellsItFirst() throws {
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100), unpricedPerMillion: 1_000 * Self.cent)
        #expect(world.budget.unpriced(tokens: 1) == Self.cent / 1_000)
        let (call, _) = world.ask(100)
        world.end(call, cents: nil, tokens: 100_000)
        #expect(try reached(world.ask(1).answer).spent.nanos == 100 * Self.cent)
    }

    @Test func everyScopeOfACallHoldsIt() throws {
        var world = World(Self.limit(100), Self.limit(50, .team("apps")), Self.limit(40, .organisation))
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
        var world = World(Self.limit(100))
        let (call, _) = world.ask(30)
        world.end(call, cents: 30)
        world.tell(Self.limit(20), to: "any", at: Self.noon)
        #expect(try reached(world.ask(1).answer).limit.nanos == 20 * Self.cent)
        world.tell(Self.limit(40), to: "any", at: Self.noon)
        #expect(world.ask(1).answer == .admitted)
    }

    /// Else all calls under way would leave room that they are still going to need.
    @Test func aClockThatIsSetAheadDoesNotEndCallsThatStillRun() {
        var world = World(Self.limit(100))
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

    // MARK: Several gateways

    @Test func theLogIsAskedSeldomFarFromTheLimitAndForEachCallNearIt() {
        var world = World(Self.limit(100_000))
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
        var world = World(Self.limit(100))
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

    @Test func anotherGatewaysPartIsNotSpentUntilItEnds() throws {
        var world = World(Self.limit(100))
        world.others("b", lease: 100, until: Self.noon.seconds + 60)
        let taken = try reached(world.ask(1).answer)
        #expect(taken.setAside.nanos == 100 * Self.cent && !taken.isSpent)
        #expect(world.ask(1, at: Self.noon.advanced(bySeconds: 60)).answer == .admitted)
    }

    @Test func ofAPartThatEndedWhatWasSpentStaysSpent() throws {
        var world = World(Self.limit(100))
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

    /// A caller names its calls by an idempotency key, and may give all of them the same.
    @Test func callsOfOneNameHoldEachTheirOwnPart() {
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100))
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
        var world = World(Self.limit(100))
        let (call, _) = world.ask(10)
        let late = Self.noon.advanced(bySeconds: 70)
        let extended = world.budget.maintain(at: late)
        #expect(extended.map(\.event.expires) == [late.seconds + 120])
        for request in extended { world.grant(request, at: late) }
        world.end(call, cents: 10)
        #expect(world.budget.maintain(at: late.advanced(bySeconds: 70)).isEmpty)
    }

    @Test func whatIsNotNeededIsGivenBackWhenOthersNeedIt() throws {
        var world = World(Self.limit(1_000))
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

    /// The log may have taken it, so others may count on the rest.
    @Test func whatIsGivenBackIsNotSpentWhileTheAnswerIsDue() throws {
        var world = World(Self.limit(1_000))
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

    // MARK: Restarts

    @Test func aSnapshotGoesOnWhereItWas() throws {
        var world = World(Self.limit(100), Self.limit(500, .organisation), Gatewayed.issued("key-1"))
        let (call, _) = world.ask(90)
        world.end(call, cents: 90)
        var state = GatewayState(gateway: "a", terms: world.terms)
        for (event, recorded) in world.log.events { state.take(event, recorded) }
        state.keys.accept("key-1", call: "call-1", at: Self.noon)
        let bytes = try state.snapshot()
        var back = try #require(GatewayState(snapshot: bytes, gateway: "a", terms: world.terms))
        #expect(back.position == state.position && back.position == Position(UInt64(world.log.events.count)))
        #expect(try back.snapshot() == bytes)
        #expect(back.keys.accepted == state.keys.accepted)
        let hash = try #require(KeyHash([UInt8](repeating: 1, count: 32)))
        #expect(back.keys.answer(to: hash, at: Self.noon) == state.keys.answer(to: hash, at: Self.noon))
        for cents in [5, 10, 200] as [Int64] {
            let probe = CallAttempt(call: "probe-\(cents)", attempt: 1, started: Self.noon)
            #expect(
                back.budget.reserve(probe, project: "chat", bound: cents * Self.cent, at: Self.noon)
                    == state.budget.reserve(probe, project: "chat", bound: cents * Self.cent, at: Self.noon))
        }
    }

    /// A state remembers the last 8,192 answers.
    @Test func afterARestartTheOldestAnswersAreForgottenFirst() throws {
        let terms = BudgetTerms(unpricedPerMillion: 0)
        var state = GatewayState(gateway: "a", terms: terms)
        var call = Gatewayed.call("call-1", by: "b", started: Self.noon, nanos: 5)
        for number in 0..<8_200 {
            call.countsOnce = "resp_\(number)"
            _ = state.countsNow(call)
        }
        var back = try #require(GatewayState(snapshot: try state.snapshot(), gateway: "a", terms: terms))
        call.countsOnce = "resp_new"
        let isNew = back.countsNow(call)
        call.countsOnce = "resp_8199"
        let isNewAgain = back.countsNow(call)
        call.countsOnce = "resp_8"
        let isForgotten = back.countsNow(call)
        #expect(isNew && !isNewAgain && isForgotten, "the oldest of those that were known made room")
    }

    /// The spool still has what the log has had for long: it is passed over by the sequence that is known.
    @Test func aStateKnowsHowFarItsOwnCallsWereTakenIn() throws {
        let terms = BudgetTerms(unpricedPerMillion: 0)
        var state = GatewayState(gateway: "a", terms: terms)
        func take(_ position: UInt64, _ sequence: UInt64, by producer: ProducerName) {
            let event = FinOpsEvent.callRecorded(
                Gatewayed.call("call-\(position)", by: "a", started: Self.noon, nanos: 5))
            state.take(
                event,
                RecordedEvent(
                    position: Position(position), stream: "calls-acme-2026-11-20",
                    version: StreamVersion(position), recorded: Self.noon, producer: producer,
                    producerSequence: sequence, event: event.newEvent(in: "calls", occurred: Self.noon)))
        }
        // The second commit may go on in what comes next; one that was delivered by hand has another producer's sequence.
        for (position, sequence) in [(1, 7), (2, 7), (3, 9)] as [(UInt64, UInt64)] {
            take(position, sequence, by: .gateway("a"))
        }
        take(4, 1_000, by: "finops-1")
        #expect(state.budget.takenSequence == 7)
        let back = try #require(GatewayState(snapshot: try state.snapshot(), gateway: "a", terms: terms))
        #expect(back.budget.takenSequence == 7)
    }

    @Test func anAnswerMadeInTheBackgroundCountsOnceAlsoAfterARestart() throws {
        let terms = BudgetTerms(unpricedPerMillion: 0)
        var state = GatewayState(gateway: "a", terms: terms)
        var call = Gatewayed.call("call-1", by: "b", started: Self.noon, nanos: 5)
        // One that was waited for counts each time.
        let waited = [state.countsNow(call), state.countsNow(call)]
        call.countsOnce = "resp_7"
        var log = TestLog()
        log.append(.callRecorded(call), to: "calls-acme-2026-11-22", at: Self.noon)
        for (event, recorded) in log.events { state.take(event, recorded) }
        var back = try #require(GatewayState(snapshot: try state.snapshot(), gateway: "a", terms: terms))
        let again = back.countsNow(call)
        call.account = "other"
        let others = [back.countsNow(call), back.countsNow(call)]
        #expect(waited == [true, true] && !again && others == [true, false])
    }

    @Test func aSnapshotThatIsDamagedOrAnothersIsNone() throws {
        let terms = BudgetTerms(unpricedPerMillion: 0)
        let bytes = try GatewayState(gateway: "a", terms: terms).snapshot()
        #expect(GatewayState(snapshot: bytes, gateway: "b", terms: terms) == nil)
        #expect(GatewayState(snapshot: [], gateway: "a", terms: terms) == nil)
        for place in [0, 31, 32, bytes.count - 1] {
            var other = bytes
            other[place] ^= 1
            #expect(GatewayState(snapshot: other, gateway: "a", terms: terms) == nil, "byte \(place)")
        }
    }
}
