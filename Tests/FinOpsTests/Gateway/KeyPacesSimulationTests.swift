import EventLog
import FinOps
import TestSupport
import Testing

/// Three gateways, each with its own delays, that are killed, fall silent and come back: whatever happens, a key has its pace.
@Suite struct KeyPacesSimulationTests {
    private struct Later {
        let due: Timestamp
        let event: FinOpsEvent
    }

    private struct Gateway {
        var demand = 0.0
        var demandUntil = PaceWorld.start
        /// How much later than the log it hears, in milliseconds.
        var delay: Int64 = 0
        var appends: [Later] = []
        var calls: [(ends: Timestamp, started: Timestamp, setAside: Int64)] = []
    }

    private struct Taken {
        let at: Timestamp
        let requests, tokens: Int64
    }

    private static let limit = 60.0
    private static let tokenLimit = 6_000.0

    @Test(arguments: 0..<24) func togetherTheyTakeNoMoreThanIsThereAndFlowsBack(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(20_261_123 + seed))
        let hasTokens = seed % 2 == 1
        var world = try PaceWorld(requests: UInt32(Self.limit), tokens: hasTokens ? UInt32(Self.tokenLimit) : 0)
        let names = ["a", "b", "c"]
        var gateways = Dictionary(uniqueKeysWithValues: names.map { ($0, Gateway()) })
        var taken: [Taken] = []
        for _ in 0..<(20 * 60 * 10) {  // Twenty minutes
            world.advance(0.1)
            for name in names {
                var gateway = gateways[name]!
                defer { gateways[name] = gateway }
                if world.now >= gateway.demandUntil {
                    gateway.demand = [0, 0.02, 0.2, 1].randomElement(using: &random)!
                    gateway.demandUntil = world.now.advanced(bySeconds: .random(in: 5...400, using: &random))
                    gateway.delay = .random(in: 0...400, using: &random)
                }
                for late in gateway.appends where late.due <= world.now { world.append(late.event) }
                gateway.appends.removeAll { $0.due <= world.now }
                if Double.random(in: 0..<1, using: &random) < 0.000_3 {
                    kill(name, &gateway, &world, &random)
                    continue
                }
                listen(name, &gateway, &world, &random)
                end(name, &gateway, &world, &taken, &random)
                while Double.random(in: 0..<1, using: &random) < gateway.demand {
                    guard ask(name, &gateway, &world, &random, &taken) else { break }
                }
            }
        }
        #expect(taken.count { $0.requests > 0 } > 100, "hardly anything was let through")
        // A call for each of the others, and what flows while they have not heard.
        let flows = 2 * 0.7 / 60
        #expect(most(taken, Self.limit) { Double($0.requests) } <= Self.limit * (1 + flows) + 2)
        if hasTokens {
            #expect(most(taken, Self.tokenLimit) { Double($0.tokens) } <= Self.tokenLimit * (1 + flows) + 2)
        }
    }

    /// The most that was taken in any span of time, beyond what flowed back in it.
    private func most(_ taken: [Taken], _ limit: Double, _ count: (Taken) -> Double) -> Double {
        var (sum, least, most) = (0.0, 0.0, 0.0)
        for one in taken {
            let flown = limit * Double(one.at.microseconds - PaceWorld.start.microseconds) / 60e6
            least = min(least, sum - flown)
            sum += count(one)
            most = max(most, sum - flown - least)
        }
        return most
    }

    private func kill(
        _ name: String, _ gateway: inout Gateway, _ world: inout PaceWorld, _ random: inout SeededGenerator
    ) {
        gateway.appends.removeAll { late in
            if case .keyPaceJoined = late.event { return Bool.random(using: &random) }
            if case .keyPaceGiven = late.event { return Bool.random(using: &random) }
            return false
        }
        world.restart(name)
        // The next run records what it cut short.
        for call in gateway.calls {
            let record = PaceWorld.call(by: name, at: call.started)
            world.noteEarlierRun(name, record)
            gateway.appends.append(later(.callRecorded(record), world, &random))
        }
        gateway.calls = []
    }

    private func later(_ event: FinOpsEvent, _ world: PaceWorld, _ random: inout SeededGenerator) -> Later {
        let delay = Int64.random(in: 0...300, using: &random)
        return Later(due: Timestamp(microseconds: world.now.microseconds + delay * 1_000), event: event)
    }

    private func listen(
        _ name: String, _ gateway: inout Gateway, _ world: inout PaceWorld, _ random: inout SeededGenerator
    ) {
        let heard = world.now.microseconds - gateway.delay * 1_000
        let end = world.log.events.lastIndex { $0.recorded.recorded.microseconds <= heard }
        world.hear(name, through: (end ?? -1) + 1)
        for gift in world.act(name) { gateway.appends.append(later(.keyPaceGiven(gift.event), world, &random)) }
    }

    private func end(
        _ name: String, _ gateway: inout Gateway, _ world: inout PaceWorld,
        _ taken: inout [Taken], _ random: inout SeededGenerator
    ) {
        for call in gateway.calls where call.ends <= world.now {
            let used = Int64.random(in: 0...max(1, call.setAside), using: &random)
            world.settle(name, setAside: call.setAside, used: used)
            taken.append(Taken(at: world.now, requests: 0, tokens: used - call.setAside))
            gateway.appends.append(later(.callRecorded(PaceWorld.call(by: name, at: call.started)), world, &random))
        }
        gateway.calls.removeAll { $0.ends <= world.now }
    }

    /// - Returns: whether it was let through.
    private func ask(
        _ name: String, _ gateway: inout Gateway, _ world: inout PaceWorld, _ random: inout SeededGenerator,
        _ taken: inout [Taken]
    ) -> Bool {
        switch world.ask(name, tokens: .random(in: 1...200, using: &random)) {
        case .admitted(let tokens):
            taken.append(Taken(at: world.now, requests: 1, tokens: tokens))
            gateway.calls.append(
                (world.now.advanced(bySeconds: .random(in: 0...60, using: &random)), world.now, tokens))
            return true
        case .mustJoin(let joining):
            if Int.random(in: 0..<10, using: &random) == 0 {
                world.failed(name, joining)
            } else {
                gateway.appends.append(later(.keyPaceJoined(joining.event), world, &random))
            }
            return false
        case .limited, .waiting: return false
        }
    }
}
