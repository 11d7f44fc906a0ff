import EventLog
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@testable import FinOps

/// Gateways that share a key with a pace, with the log between them.
struct PaceWorld {
    static let start = Timestamp(seconds: 1_800_000_000)

    private(set) var log = TestLog()
    /// By name: what each knows, and how much of the log.
    private var gateways: [String: (paces: KeyPaces, keys: KeyTable, taken: Int)] = [:]
    let key: KeyFacts
    var now = start
    /// Of all gateways' clocks before the log's, in seconds.
    var clockAhead = 0.0

    init(requests: UInt32 = 0, tokens: UInt32 = 0) throws {
        log.append(
            .keyIssued(
                .with {
                    $0.key = "key-1"
                    $0.hash = Data(repeating: 1, count: 32)
                    $0.requestsPerMinute = requests
                    $0.tokensPerMinute = tokens
                }), to: "key-key-1", at: Self.start)
        var table = KeyTable(gateway: "any")
        for (event, recorded) in log.events { table.take(event, recorded) }
        key = try #require(table.facts(of: "key-1"))
    }

    /// A run that knows the log as far as it was taken before, or from its beginning.
    mutating func restart(_ name: String) {
        let taken = gateways[name]?.taken ?? 0
        gateways[name] = (KeyPaces(gateway: name), KeyTable(gateway: name), 0)
        hear(name, through: taken)
    }

    /// Takes in what the log has: all, or so many events.
    mutating func hear(_ name: String, through end: Int? = nil) {
        if gateways[name] == nil { restart(name) }
        let end = end ?? log.events.count
        while gateways[name]!.taken < end {
            let (event, recorded) = log.events[gateways[name]!.taken]
            gateways[name]!.keys.take(event, recorded)
            gateways[name]!.paces.take(event, recorded)
            gateways[name]!.taken += 1
        }
    }

    /// What the gateway gives others now.
    mutating func act(_ name: String) -> [KeyPaceGift] {
        guard let keys = gateways[name]?.keys else { return [] }
        let clock = clock
        return gateways[name]!.paces.act(keys, at: clock, running: now)
    }

    mutating func append(_ event: FinOpsEvent) { log.append(event, to: "pace-key-1", at: now) }

    /// Everybody hears everything at once.
    mutating func spread(_ names: String...) {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for name in names {
                hear(name)
                for gift in act(name) {
                    append(.keyPaceGiven(gift.event))
                    isQuiet = false
                }
            }
        }
    }

    mutating func ask(_ name: String, tokens: Int64 = 0, logAwaySince: Timestamp? = nil) -> KeyPaces.Answer {
        if gateways[name] == nil { restart(name) }
        let clock = clock
        return gateways[name]!.paces.admit(
            key, tokens: tokens, at: clock, running: now, logAwaySince: logAwaySince)
    }

    private var clock: Timestamp { Timestamp(microseconds: now.microseconds + Int64(clockAhead * 1_000_000)) }

    mutating func settle(_ name: String, setAside: Int64, used: Int64) {
        let clock = clock
        gateways[name]?.paces.settle(key, setAside: setAside, used: used, at: clock, running: now)
    }

    mutating func release(_ name: String, tokens: Int64) {
        let clock = clock
        gateways[name]?.paces.release(key, tokens: tokens, at: clock, running: now)
    }

    mutating func failed(_ name: String, _ joining: KeyPaceJoining) { gateways[name]?.paces.failed(joining) }
    mutating func noteEarlierRun(_ name: String, _ call: WireCallRecorded) {
        gateways[name]?.paces.noteEarlierRun(call)
    }
    func isCurrent(_ name: String, _ joining: KeyPaceJoining) -> Bool {
        gateways[name]?.paces.isCurrent(joining) ?? false
    }

    /// Joins where that is needed, and counts how many calls begin at once.
    mutating func calls(_ name: String, beside others: String..., atMost: Int = 1_000) -> Int {
        for count in 0..<atMost {
            switch ask(name) {
            case .admitted: continue
            case .mustJoin(let joining):
                append(.keyPaceJoined(joining.event))
                spread(name)
                for other in others {
                    spread(other)
                    spread(name, other)
                }
                guard case .admitted = ask(name) else { return count }
            case .limited, .waiting: return count
            }
        }
        return atMost
    }

    mutating func advance(_ seconds: Double) {
        now = Timestamp(microseconds: now.microseconds + Int64(seconds * 1_000_000))
    }

    /// A call as its record tells of it.
    static func call(by gateway: String, at started: Timestamp) -> WireCallRecorded {
        .with {
            $0.key = "key-1"
            $0.gateway = gateway
            $0.call = "call-\(started.microseconds)"
            $0.started = started.microseconds
        }
    }
}

@Suite struct KeyPacesTests {
    @Test func theOnlyGatewayHasAllOfAPaceOnceTheLogKnowsOfIt() throws {
        var world = try PaceWorld(requests: 60)
        guard case .mustJoin(let joining) = world.ask("a") else { throw Unexpected() }
        #expect(world.ask("a") == .waiting && world.isCurrent("a", joining))
        #expect(joining.event.stands == 300)
        world.append(.keyPaceJoined(joining.event))
        world.spread("a")
        #expect(!world.isCurrent("a", joining))
        #expect(world.calls("a") == 60)
        #expect(world.ask("a") == .limited(.requests, limit: 60, retryAfter: 1, gateways: 1))
    }

    @Test func aSecondGatewayIsGivenHalfAndNoMoreThanThereWas() throws {
        for used in [0, 10, 50, 60] {
            var world = try PaceWorld(requests: 60)
            #expect(world.calls("a", atMost: used) == used)
            if used == 0 { _ = world.calls("a", atMost: 1) }
            let left = min(30, 60 - max(used, 1))
            let given = max(0, 60 - max(used, 1) - 30)
            #expect(world.calls("b", beside: "a") == given)
            #expect(world.calls("a") == left)
            world.advance(60)
            #expect(world.calls("a") == 30 && world.calls("b") == 30)
            #expect(world.ask("b") == .limited(.requests, limit: 60, retryAfter: 2, gateways: 2))
        }
    }

    @Test func ofTokensTheSame() throws {
        var world = try PaceWorld(tokens: 1_000)
        guard case .mustJoin(let joining) = world.ask("a") else { throw Unexpected() }
        #expect(joining.event.stands == 300)
        world.append(.keyPaceJoined(joining.event))
        world.spread("a")
        #expect(world.ask("a", tokens: 300) == .admitted(tokens: 300))
        #expect(world.calls("b", beside: "a", atMost: 1) == 1)
        #expect(world.ask("b", tokens: 200) == .admitted(tokens: 200))
        #expect(world.ask("b", tokens: 1) == .waiting)
        world.advance(1.1)
        #expect(world.ask("b", tokens: 20) == .limited(.tokens, limit: 1_000, retryAfter: 2, gateways: 2))
        world.settle("a", setAside: 300, used: 100)
        #expect(world.ask("a", tokens: 500) == .admitted(tokens: 500))
        // What needs more than a part ever has begins when all of the part is there.
        world.advance(60)
        #expect(world.ask("b", tokens: 800) == .admitted(tokens: 800))
        #expect(world.ask("b", tokens: 800) == .limited(.tokens, limit: 1_000, retryAfter: 96, gateways: 2))
    }

    @Test func aPartThatIsLessThanACallSufficesForOneAtATime() throws {
        var world = try PaceWorld(requests: 1)
        #expect(world.calls("a") == 1)
        #expect(world.calls("b", beside: "a") == 0)
        world.advance(121)
        #expect(world.calls("a") == 1 && world.calls("b") == 1)
    }

    @Test func whoIsNotHeardOfHasNoPartAnyMore() throws {
        var world = try PaceWorld(requests: 60)
        #expect(world.calls("a") == 60)
        #expect(world.calls("b", beside: "a") == 0)
        world.advance(280)
        world.append(.callRecorded(PaceWorld.call(by: "a", at: world.now)))
        world.spread("a", "b")
        world.advance(30)
        // The one that was heard has all of it, and the other has to join again.
        #expect(world.calls("a") == 60)
        guard case .mustJoin = world.ask("b") else { throw Unexpected() }
    }

    /// Else each would give, after a quiet while, what is the other's already.
    @Test func whoHasNoPartAnyMoreGivesNothing() throws {
        var world = try PaceWorld(requests: 60)
        for (name, other) in [("a", "b"), ("b", "a"), ("c", "b")] { _ = world.calls(name, beside: other, atMost: 1) }
        world.advance(400)
        #expect(world.calls("b", beside: "a", "c") == 60)
        #expect(world.calls("a", beside: "b", "c") == 0)
    }

    /// It joins again early, while the others still count it.
    @Test func whoJoinsAgainInTimeKeepsItsPart() throws {
        var world = try PaceWorld(requests: 60)
        _ = world.calls("a", atMost: 1)
        #expect(world.calls("b", beside: "a", atMost: 1) == 1)
        for _ in 0..<3 {
            world.advance(250)
            world.append(.callRecorded(PaceWorld.call(by: "a", at: world.now)))
            world.spread("a", "b")
            #expect(world.calls("b", beside: "a") == 30)
        }
    }

    /// Who is refused for long does not lose what has flown back meanwhile.
    @Test func aTinyPaceReachesEveryGatewayThatAsks() throws {
        for (requests, pause) in [(UInt32(1), 7.0), (1, 301), (2, 151)] {
            var world = try PaceWorld(requests: requests)
            let names = ["a", "b", "c", "d", "e"]
            var counts: [String: Int] = [:]
            var seconds = 0.0
            while seconds < 3_000 {
                for name in names {
                    counts[name, default: 0] += world.calls(name, atMost: 1)
                    world.spread("a", "b", "c", "d", "e")
                }
                world.advance(pause)
                seconds += pause
            }
            let all = counts.values.reduce(0, +)
            #expect(counts.values.allSatisfy { $0 >= 7 * Int(requests) }, "\(counts)")
            #expect(Double(all) <= Double(requests) * (1 + seconds / 60) + 4)
        }
    }

    @Test func aCallThatDoesNotBeginTakesNothing() throws {
        var world = try PaceWorld(requests: 2, tokens: 100)
        #expect(world.calls("a", atMost: 1) == 1)
        for _ in 0..<10 {
            #expect(world.ask("a", tokens: 90) == .admitted(tokens: 90))
            world.release("a", tokens: 90)
        }
    }

    @Test func aRunThatBeginsWithoutTheLogDoesNotSpendTheMinuteAgain() throws {
        var world = try PaceWorld(requests: 60)
        #expect(world.calls("a", atMost: 1) == 1)
        let last = world.now
        world.advance(100)
        world.restart("a")
        world.noteEarlierRun("a", PaceWorld.call(by: "a", at: world.now.advanced(bySeconds: -1)))
        #expect(
            world.ask("a", logAwaySince: last) == .limited(.requests, limit: 60, retryAfter: 1, gateways: 1))
        world.restart("b")
        #expect(world.ask("b", logAwaySince: last) == .admitted(tokens: 0))
    }

    /// By the clock that nobody sets and the log's: how far its own is from that does not matter.
    @Test func aClockThatIsWrongChangesNothing() throws {
        for hours in [-48, 48] {
            var world = try PaceWorld(requests: 60)
            world.clockAhead = Double(hours) * 3_600
            #expect(world.calls("a", atMost: 1) == 1)
            #expect(world.calls("b", beside: "a") == 29)
            #expect(world.calls("a") == 30)
            world.advance(100)
            #expect(world.calls("a") == 30 && world.calls("b") == 30)
            world.advance(150)
            guard case .mustJoin = world.ask("b") else { throw Unexpected() }
        }
    }

    @Test func aNewRunDoesNotSpendTheMinuteAgain() throws {
        var world = try PaceWorld(requests: 60)
        #expect(world.calls("a") == 60)
        world.restart("a")
        #expect(world.calls("a") == 0)
        world.advance(1)
        #expect(world.calls("a") == 1)
        world.advance(120)
        world.restart("a")
        #expect(world.calls("a") == 60)
        // The log may not have what the run before it let through.
        world.advance(120)
        world.restart("a")
        world.noteEarlierRun("a", PaceWorld.call(by: "a", at: world.now.advanced(bySeconds: -30)))
        #expect(world.calls("a") == 0)
    }

    @Test func withoutTheLogAGatewayTakesThePartItWouldHaveHad() throws {
        var world = try PaceWorld(requests: 60)
        #expect(world.calls("a", atMost: 1) == 1)
        #expect(world.calls("b", beside: "a", atMost: 1) == 1)
        let last = world.now
        world.advance(600)
        func count(_ name: String) -> Int {
            var count = 0
            while case .admitted = world.ask(name, logAwaySince: last) { count += 1 }
            return count
        }
        #expect(count("a") == 30 && count("b") == 30)
        world.spread("c")
        #expect(count("c") == 20)
    }

    @Test func aJoiningThatFailsIsTriedAgain() throws {
        var world = try PaceWorld(requests: 60)
        guard case .mustJoin(let first) = world.ask("a") else { throw Unexpected() }
        world.failed("a", first)
        guard case .mustJoin(let second) = world.ask("a") else { throw Unexpected() }
        #expect(second.event.asked > first.event.asked && !world.isCurrent("a", first))
        // The first one reached the log all the same: it is not the one that counts.
        world.append(.keyPaceJoined(first.event))
        world.spread("a")
        #expect(world.ask("a") == .waiting)
        world.advance(11)
        guard case .mustJoin = world.ask("a") else { throw Unexpected() }
    }

    @Test func theOthersHaveAMomentToGive() throws {
        var world = try PaceWorld(requests: 60)
        _ = world.calls("a", atMost: 1)
        guard case .mustJoin(let joining) = world.ask("b") else { throw Unexpected() }
        world.append(.keyPaceJoined(joining.event))
        world.hear("b")
        #expect(world.act("b").isEmpty)
        #expect(world.ask("b") == .waiting)
        world.advance(1.1)
        #expect(world.ask("b") == .limited(.requests, limit: 60, retryAfter: 1, gateways: 2))
        world.hear("a")
        let gift = try #require(world.act("a").first)
        #expect(gift.event.to == "b" && gift.event.requests == 30)
        #expect(gift.isCurrent(at: world.now))
        world.advance(2)
        #expect(!gift.isCurrent(at: world.now))
        world.append(.keyPaceGiven(gift.event))
        world.spread("b")
        #expect(world.calls("b") == 30)
    }

    @Test func whatOfItIsWrittenDownIsReadBack() throws {
        var world = try PaceWorld(requests: 60)
        _ = world.calls("a", atMost: 1)
        _ = world.calls("b", beside: "a", atMost: 1)
        let terms = BudgetTerms(unpricedPerMillion: 1)
        var state = GatewayState(gateway: "c", terms: terms)
        for (event, recorded) in world.log.events { state.take(event, recorded) }
        let back = try #require(GatewayState(snapshot: try state.snapshot(), gateway: "c", terms: terms))
        #expect(back.paces.heard == state.paces.heard && back.paces.heard["key-1"]?.gateways.count == 2)
        #expect(back.position == state.position)
    }

    private struct Unexpected: Error {}
}
