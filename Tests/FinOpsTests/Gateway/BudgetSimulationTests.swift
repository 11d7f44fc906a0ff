import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// Gateways that hold one limit through a log which loses answers, while they are killed: all they have in memory is gone
/// then; their spool is not, nor what they wrote down of calls under way.
@Suite struct BudgetSimulationTests {
    private static let start = Timestamp(seconds: 1_795_143_600)

    fileprivate struct Call {
        let attempt: CallAttempt
        let bound: Int64
        let started: Timestamp
        /// Of one that was cut short, as the gateway's next run told it.
        var told: Int64 = 0
    }

    fileprivate struct Gateway {
        let name: String
        var budget: Budget
        /// Events of the log that it has seen.
        var seen = 0
        /// Events that the log had when this run began.
        var goal = 0
        var spool: [WireCallRecorded] = []
        var waiting: [Call] = []
        var underWay: [Call] = []
        /// Cut short by a kill: of what they cost, what had passed is told at the next start.
        var cutShort: [Call] = []
        var isDead = false
    }

    fileprivate struct World {
        let seed: UInt64
        var random: SeededGenerator
        var log = TestLog()
        var gateways: [Gateway] = []
        /// Asked for by runs that were killed then, and on their way to the log.
        var late: [LeaseRequest] = []
        var now = BudgetSimulationTests.start
        var calls = 0
        var refused = 0
        /// Nano-dollars of the calls that are in the log.
        var logged: Int64 = 0
        var greatestBound: Int64 = 0
        var limit: Int64
        let terms = BudgetTerms(unpricedPerMillion: 0)

        init(seed: UInt64) {
            self.seed = seed
            random = SeededGenerator(seed: seed)
            let cents = Int64.random(in: 50...2_000, using: &random)
            limit = cents * 10_000_000
            log.append(Gatewayed.added("chat", team: "apps"), to: "any", at: now)
            log.append(Watched.threshold(.project("chat"), daily: cents, policy: "block"), to: "any", at: now)
            for number in 0..<Int.random(in: 1...4, using: &random) {
                gateways.append(fresh("g\(number)", spool: [], seen: log.events.count))
                gateways[number].budget.beginSpending(at: now)
            }
        }

        /// A run that begins: the log does not always answer then, and it goes on with what an earlier one has written down.
        func fresh(_ name: String, spool: [WireCallRecorded], seen: Int) -> Gateway {
            var gateway = Gateway(name: name, budget: Budget(gateway: name, terms: terms))
            gateway.spool = spool
            for (event, recorded) in log.events.prefix(seen) { gateway.budget.take(event, recorded) }
            (gateway.seen, gateway.goal) = (seen, log.events.count)
            for event in spool { gateway.budget.settle(event) }
            return gateway
        }

        mutating func read(_ place: Int, most: Int = .max) {
            let seen = gateways[place].seen
            for (event, recorded) in log.events[seen...].prefix(most) { gateways[place].budget.take(event, recorded) }
            gateways[place].seen = min(log.events.count, seen + min(most, log.events.count))
            if gateways[place].seen >= gateways[place].goal { gateways[place].budget.beginSpending(at: now) }
        }

        mutating func record(_ event: WireCallRecorded) {
            logged += event.cost.nanos
            log.append(.callRecorded(event), to: "calls", at: now)
        }

        // MARK: What happens

        mutating func step() {
            let place = Int.random(in: gateways.indices, using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45: arrive(at: place)
            case 45..<70: end(at: place)
            case 70..<80: drain(place, most: Int.random(in: 1...5, using: &random))
            case 80..<88: read(place, most: Int.random(in: 1...10, using: &random))
            case 88..<94: lease(gateways[place].budget.maintain(at: now), for: place)
            case 94..<97: kill(place)
            case 97:
                switch Int.random(in: 0..<6, using: &random) {
                case 0: change()
                case 1: loseTheLog()
                default: arriveLate()
                }
            default: pass(seconds: Int64.random(in: 1...70, using: &random))
            }
            retry(place)
        }

        private mutating func arrive(at place: Int) {
            guard !gateways[place].isDead else { return }
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                calls += 1
                let bound = Int64.random(in: 1...200_000_000, using: &random)
                greatestBound = max(greatestBound, bound)
                gateways[place].waiting.append(
                    Call(attempt: CallAttempt(call: "c\(calls)", attempt: 1, started: now), bound: bound, started: now))
            }
        }

        private mutating func retry(_ place: Int) {
            guard !gateways[place].isDead else { return }
            let waiting = gateways[place].waiting
            gateways[place].waiting = []
            for call in waiting {
                switch gateways[place].budget.reserve(call.attempt, project: "chat", bound: call.bound, at: now) {
                case .admitted:
                    gateways[place].underWay.append(call)
                case .refused: refused += 1
                case .waiting: gateways[place].waiting.append(call)
                case .needsLease(let requests):
                    gateways[place].waiting.append(call)
                    lease(requests, for: place)
                }
            }
        }

        /// The log takes it or not, and the answer arrives or not.
        private mutating func lease(_ requests: [LeaseRequest], for place: Int) {
            for request in requests {
                guard !gateways[place].isDead, Int.random(in: 0..<10, using: &random) > 0 else {
                    gateways[place].budget.failed(request)
                    continue
                }
                let recorded = log.append(
                    .budgetLeased(request.event), to: request.stream, at: now, expected: request.expected)
                if let recorded, Int.random(in: 0..<5, using: &random) > 0 {
                    gateways[place].budget.granted(request, position: recorded.position)
                } else {
                    gateways[place].budget.failed(request)
                    if Bool.random(using: &random) { read(place) }
                }
            }
        }

        private mutating func end(at place: Int) {
            guard !gateways[place].underWay.isEmpty else { return }
            end(place, Int.random(in: gateways[place].underWay.indices, using: &random))
        }

        private mutating func end(_ place: Int, _ index: Int) {
            let call = gateways[place].underWay.remove(at: index)
            // Mostly a call needs a part of its bound; some fail and need nothing.
            let nanos =
                Int64.random(in: 0...9, using: &random) == 0
                ? 0 : Int64.random(in: 0...call.bound, using: &random)
            let event = Gatewayed.call(
                call.attempt.call, by: gateways[place].name, started: call.started, nanos: nanos)
            gateways[place].budget.settle(event)
            gateways[place].spool.append(event)
        }

        private mutating func drain(_ place: Int, most: Int) {
            for event in gateways[place].spool.prefix(most) { record(event) }
            gateways[place].spool.removeFirst(min(most, gateways[place].spool.count))
        }

        /// Some come back at once, some never: of those the spool was drained, for the drainer is quicker than a lease.
        private mutating func kill(_ place: Int) {
            let old = gateways[place]
            guard !old.isDead else { return }
            if gateways.count > 1, Int.random(in: 0..<4, using: &random) == 0 {
                drain(place, most: .max)
                gateways[place].isDead = true
                gateways[place].underWay = []
                gateways[place].cutShort = []
                gateways[place].waiting = []
            } else {
                var dying = old.budget
                late += dying.maintain(at: now)
                let count = log.events.count
                let seen = Bool.random(using: &random) ? count : Int.random(in: 2...count, using: &random)
                gateways[place] = fresh(old.name, spool: old.spool, seen: seen)
                gateways[place].cutShort = old.cutShort.filter { now < ends($0) }
                for var call in old.underWay {
                    call.told = Int64.random(in: 0...call.bound, using: &random)
                    let event = Gatewayed.call(
                        call.attempt.call, by: old.name, started: call.started, nanos: call.told)
                    gateways[place].budget.settle(event)
                    gateways[place].spool.append(event)
                    gateways[place].cutShort.append(call)
                }
                for call in gateways[place].cutShort {
                    gateways[place].budget.hold(
                        "chat", started: call.started, bound: call.bound - call.told, until: ends(call))
                }
                if seen == count { gateways[place].budget.beginSpending(at: now) }
            }
        }

        /// Something by which all sums are made anew: an owner that concerns no call here, or another limit, which ends all
        /// parts that were given before.
        private mutating func change() {
            if Bool.random(using: &random) {
                log.append(Gatewayed.added("other-\(calls)", team: "apps"), to: "any", at: now)
            } else {
                limit += 10_000_000
                log.append(
                    Watched.threshold(.project("chat"), daily: limit / 10_000_000, policy: "block"), to: "any", at: now)
            }
        }

        /// For longer than parts may be spent. Calls that began before may still run.
        private mutating func loseTheLog() {
            arriveLate()
            for _ in 0..<terms.leaseSeconds + 10 {
                now = now.advanced(bySeconds: 1)
                for place in gateways.indices { gateways[place].budget.logIsAway(at: now) }
            }
            // None for longer than a reservation.
            for place in gateways.indices {
                while let first = gateways[place].underWay.first,
                    now > first.started.advanced(bySeconds: terms.reservationSeconds / 2)
                {
                    end(place, 0)
                }
            }
        }

        private mutating func arriveLate() {
            for request in late {
                log.append(.budgetLeased(request.event), to: request.stream, at: now, expected: request.expected)
            }
            late = []
        }

        func ends(_ call: Call) -> Timestamp { call.started.advanced(bySeconds: terms.reservationSeconds) }

        /// A second is long for the wire: what was said before has arrived.
        private mutating func pass(seconds: Int64) {
            arriveLate()
            for place in gateways.indices { drain(place, most: .max) }
            for place in gateways.indices { read(place) }
            // A gateway that lives asks about once a second.
            for _ in 0..<seconds {
                now = now.advanced(bySeconds: 1)
                for place in gateways.indices where !gateways[place].isDead {
                    lease(gateways[place].budget.maintain(at: now), for: place)
                    read(place)
                }
            }
        }

        // MARK: What must hold

        /// What has been let through: calls that ended, and the most that those under way can cost, and those that were cut
        /// short a while ago.
        var admitted: Int64 {
            logged + gateways.flatMap(\.spool).reduce(0) { $0 + $1.cost.nanos }
                + gateways.flatMap(\.underWay).reduce(0) { $0 + $1.bound }
                + gateways.flatMap(\.cutShort).filter { now < ends($0) }.reduce(0) { $0 + $1.bound - $1.told }
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func neverMoreIsLetThroughThanTheLimitAndOneCall(seed: UInt64) throws {
        var world = World(seed: seed)
        for _ in 0..<400 {
            world.step()
            let admitted = world.admitted
            try #require(
                admitted <= world.limit + world.greatestBound,
                "seed \(seed): \(admitted) of \(world.limit), with one call's \(world.greatestBound)")
        }
        try settle(&world)
    }

    /// Else the law above would hold of worlds in which nothing is near the limit.
    @Test func theWorldsMeetTheirLimits() {
        let worlds = (UInt64(0)..<10).map { seed -> (refused: Int, isFull: Bool) in
            var world = World(seed: seed)
            var most: Int64 = 0
            for _ in 0..<400 {
                world.step()
                most = max(most, world.admitted)
            }
            return (world.refused, most > world.limit / 2)
        }
        #expect(worlds.count { $0.refused > 0 } >= 5)
        #expect(worlds.count { $0.isFull } >= 5)
    }

    /// When all has ended, every gateway knows to the nano-dollar what was spent, and nothing is set aside any more.
    private func settle(_ world: inout World) throws {
        world.end()
        let spent = world.logged
        guard spent > 0 else { return }
        for place in world.gateways.indices where !world.gateways[place].isDead {
            #expect(world.gateways[place].budget.reservationCount <= world.gateways[place].cutShort.count)
            let probe = CallAttempt(call: "probe", attempt: 1, started: world.now)
            var budget = world.gateways[place].budget
            budget.take(.thresholdSet(world.spentLimit(spent)), world.nextEvent)
            if case .refused(let reached) = budget.reserve(probe, project: "chat", bound: 1, at: world.now) {
                #expect(reached.spent.nanos == spent && reached.setAside.nanos == 0, "seed \(world.seed)")
            } else {
                Issue.record("seed \(world.seed): \(world.gateways[place].name) knows of less than \(spent)")
            }
        }
    }
}

extension BudgetSimulationTests.World {
    /// Everything that is under way ends, every record arrives, every lease is over.
    fileprivate mutating func end() {
        for place in gateways.indices {
            gateways[place].waiting = []
            while !gateways[place].underWay.isEmpty {
                let call = gateways[place].underWay.removeLast()
                let event = Gatewayed.call(
                    call.attempt.call, by: gateways[place].name, started: call.started, nanos: call.bound)
                gateways[place].budget.settle(event)
                gateways[place].spool.append(event)
            }
            for event in gateways[place].spool { record(event) }
            gateways[place].spool = []
        }
        for place in gateways.indices { read(place) }
        now = now.advanced(bySeconds: max(terms.leaseSeconds, terms.reservationSeconds) + 1)
    }

    /// A limit that is spent to the last nano-dollar.
    fileprivate func spentLimit(_ nanos: Int64) -> WireThresholdSet {
        .with {
            ($0.scope, $0.name, $0.zone, $0.policy) = ("project", "chat", "Asia/Seoul", "block")
            ($0.daily.nanos, $0.daily.currency) = (nanos, "USD")
            $0.levels = [100]
        }
    }

    fileprivate var nextEvent: RecordedEvent {
        var last = log.events[log.events.count - 1].recorded
        last.position = last.position.next
        return last
    }
}
