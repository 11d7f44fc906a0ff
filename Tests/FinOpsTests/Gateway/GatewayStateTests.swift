import EventLog
import FinOps
import TestSupport
import Testing

/// What a gateway keeps of the log between two runs.
@Suite struct GatewayStateTests {
    private typealias World = BudgetWorld
    private static let cent = BudgetWorld.cent
    private static let noon = BudgetWorld.noon

    @Test func aSnapshotGoesOnWhereItWas() throws {
        var world = World(World.limit(100), World.limit(500, .organisation), Gatewayed.issued("key-1"))
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
