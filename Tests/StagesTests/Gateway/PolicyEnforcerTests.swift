import EventLog
import FinOps
import Stages
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing

@Suite struct PolicyEnforcerTests {
    private let bench = WatchBench()
    private let project = CostScope.project("chat")

    private func enforcer(
        _ store: (any EventStore)? = nil, reader: (any EventReader)? = nil,
        onProgress: @escaping @Sendable (ReactorProgress) -> Void = { _ in }
    ) -> PolicyEnforcer {
        PolicyEnforcer(
            store: store ?? bench.store, reader: reader ?? store ?? bench.store, logger: .silent,
            now: bench.clock.now, pause: { _ in await Task.yield() }, onProgress: onProgress)
    }

    /// Two keys of the project, one of another, and a limit with a policy.
    private func prepare(policy: String = "disable-keys") async throws {
        try await bench.append(
            [Gatewayed.added("chat", team: "apps"), Gatewayed.added("draw", team: "art")], to: .projects)
        try await bench.append([Gatewayed.issued("key-1", hash: 1)], to: .key("key-1"))
        try await bench.append([Gatewayed.issued("key-2", hash: 2)], to: .key("key-2"))
        try await bench.append([Gatewayed.issued("key-3", project: "draw", hash: 3)], to: .key("key-3"))
        try await limit(policy)
    }

    private func limit(_ policy: String) async throws {
        try await bench.append([Watched.threshold(project, daily: 500, policy: policy)], to: .threshold(project))
    }

    /// - Parameter isOver: of a day that ended before the bench's noon.
    private func cross(level: UInt32 = 100, isOver: Bool = false) async throws {
        let crossed = WireThresholdCrossed.with {
            ($0.scope, $0.name, $0.window, $0.firstDay) = (
                "project", "chat", "day", isOver ? "2026-11-19" : "2026-11-20"
            )
            ($0.level, $0.windowEnd) = (level, hour(isOver ? "2026-11-19" : "2026-11-20", 15))
            ($0.cost, $0.limit) = (WatchBench.money(510), WatchBench.money(500))
        }
        try await bench.append(
            [.thresholdCrossed(crossed)], to: .alerts(.day, firstDay: day(isOver ? "2026-11-19" : "2026-11-20")))
    }

    private func disabled() async throws -> [RecordedEvent] {
        try await bench.recorded(["key.disabled"]).filter { $0.event.actor == PolicyEnforcer.actor }
    }

    @Test func aSpentLimitDisablesTheKeysOfItsScopeOnce() async throws {
        try await prepare()
        try await cross(level: 80)
        try await enforcer().catchUp()
        #expect(try await disabled().isEmpty)
        try await cross()
        for _ in 1...3 { try await enforcer().catchUp() }
        let found = try await disabled()
        #expect(found.map(\.stream) == [.key("key-1"), .key("key-2")])
        let crossing = try #require(try await bench.recorded(["threshold.crossed"]).last)
        #expect(found.allSatisfy { $0.event.causation == crossing.event.id && $0.producer == "policy-enforcer" })
        guard case .keyDisabled(let event)? = try EventCatalogue.decode(found[0].event) else {
            Issue.record("it is no disablement")
            return
        }
        #expect(event.cause == "policy" && event.reason.contains("5.100000000 USD of 5.000000000 USD"))
        // A higher level finds them disabled.
        try await cross(level: 120)
        try await enforcer().catchUp()
        #expect(try await disabled().count == 2)
    }

    @Test func nothingIsDoneTwiceHoweverOftenItDies() async throws {
        for seed in UInt64(0)..<20 {
            let each = PolicyEnforcerTests()
            try await each.prepare()
            try await each.cross()
            try await each.cross(level: 120)
            let store = UnsteadyStore(each.bench.store, seed: seed)
            while true {
                do {
                    try await each.enforcer(store).catchUp()
                    break
                } catch StoreError.failed {}
            }
            #expect(try await each.disabled().map(\.stream) == [.key("key-1"), .key("key-2")], "seed \(seed)")
        }
    }

    @Test func aWindowThatIsOverOrAnotherPolicyAsksForNothing() async throws {
        try await prepare()
        try await cross(isOver: true)
        try await enforcer().catchUp()
        try await limit("block")
        try await cross()
        try await enforcer().catchUp()
        // Whoever was late goes by what the limit says now.
        try await limit("disable-keys")
        try await cross()
        try await limit("alert")
        try await enforcer().catchUp()
        #expect(try await disabled().isEmpty)
    }

    @Test func whatSomebodyDecidedSinceTheCrossingStands() async throws {
        try await prepare()
        try await cross()
        // Disabled by a person; approved again by an administrator; issued since.
        try await bench.append([Gatewayed.disabled("key-1")], to: .key("key-1"))
        try await bench.append(
            [Gatewayed.disabled("key-2"), Gatewayed.requested("key-2"), Gatewayed.reactivated("key-2")],
            to: .key("key-2"))
        try await bench.append([Gatewayed.issued("key-4", hash: 4)], to: .key("key-4"))
        try await enforcer().catchUp()
        #expect(try await disabled().isEmpty)
    }

    @Test func aCrossingThatWasTakenBackIsNotAnswered() async throws {
        try await prepare()
        try await cross()
        try await bench.append(
            [
                .thresholdCleared(
                    .with {
                        ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", "chat", "day", "2026-11-20")
                        ($0.level, $0.reason) = (100, "limit")
                    })
            ], to: .alerts(.day, firstDay: day("2026-11-20")))
        try await enforcer().catchUp()
        #expect(try await disabled().isEmpty)
    }

    @Test func aDrillIsNoDisablement() async throws {
        try await prepare()
        try await cross()
        try await bench.append([Gatewayed.disabled("key-1", cause: "drill")], to: .key("key-1"))
        try await enforcer().catchUp()
        #expect(try await disabled().map(\.stream) == [.key("key-1"), .key("key-2")])
    }

    // MARK: What cannot be read

    private let failures = StreamName.failures(stage: PolicyEnforcer.stage)

    /// The positions that were put aside.
    private func parked() async throws -> [UInt64] {
        try await bench.recorded(["processing.failed"]).filter { $0.stream == failures }.map {
            try WireProcessingFailed(serializedBytes: $0.event.payload).position
        }
    }

    private func answer(_ position: Position, isSkipped: Bool = false) async throws {
        let stage = PolicyEnforcer.stage
        let event: FinOpsEvent =
            isSkipped
            ? .processingSkipped(.with { ($0.stage, $0.position, $0.reason) = (stage, position.value, "a test") })
            : .processingRetried(.with { ($0.stage, $0.position) = (stage, position.value) })
        try await bench.append([event], to: failures)
    }

    private func position(of type: EventType, in stream: StreamName? = nil) async throws -> Position {
        let found = try await bench.recorded([type]).last { stream == nil || $0.stream == stream }
        return try #require(found).position
    }

    @Test func aCrossingThatCannotBeReadIsPutAsideOnceAndAnsweredOnceWhenItCan() async throws {
        try await prepare()
        try await cross()
        let log = UnreadableLog(of: bench.store)
        let crossing = try await position(of: "threshold.crossed")
        log.garble(crossing)
        let count = Mutex(0)
        for _ in 1...2 {
            try await enforcer(reader: log, onProgress: { progress in count.withLock { $0 = progress.parked } })
                .catchUp()
        }
        #expect(try await parked() == [crossing.value] && count.withLock(\.self) == 1)
        #expect(try await disabled().isEmpty)
        // Tried again while nothing is mended it is put aside again.
        try await answer(crossing)
        try await enforcer(reader: log).catchUp()
        #expect(try await parked() == [crossing.value, crossing.value])
        log.mend()
        try await enforcer(reader: log).catchUp()
        #expect(try await disabled().isEmpty)
        try await answer(crossing)
        for _ in 1...2 { try await enforcer(reader: log).catchUp() }
        #expect(try await disabled().map(\.stream) == [.key("key-1"), .key("key-2")])
        #expect(try await parked().count == 2)
    }

    @Test func anotherKeyIsDisabledAlthoughOnesCannotBeRead() async throws {
        try await prepare()
        try await enforcer().catchUp()
        let log = UnreadableLog(of: bench.store)
        let issued = try await position(of: "key.issued", in: .key("key-1"))
        log.garble(issued)
        try await cross()
        // Each time from its beginning: what it has said already it does not say again.
        for _ in 1...3 { try await enforcer(reader: log).catchUp() }
        #expect(try await disabled().map(\.stream) == [.key("key-2")])
        #expect(try await parked() == [issued.value])
        // Once it can be read it counts in its place, for what is crossed from then on.
        log.mend()
        try await answer(issued)
        try await enforcer(reader: log).catchUp()
        #expect(try await disabled().count == 1)
        try await cross(level: 120)
        try await enforcer(reader: log).catchUp()
        #expect(try await disabled().map(\.stream) == [.key("key-2"), .key("key-1")])
    }

    @Test func whatBecameOfAKeyCannotBeToldSoTheCrossingWaitsForItAlone() async throws {
        try await prepare()
        try await cross()
        try await bench.append([Gatewayed.disabled("key-1", cause: "drill")], to: .key("key-1"))
        let log = UnreadableLog(of: bench.store)
        log.garble(try await position(of: "key.disabled"))
        // The drill comes after the crossing, so the fold has not met it yet.
        try await enforcer(reader: log).catchUp()
        let crossing = try await position(of: "threshold.crossed")
        #expect(try await disabled().map(\.stream) == [.key("key-2")])
        #expect(try await parked().contains(crossing.value))
        log.mend()
        try await answer(crossing)
        for _ in 1...2 { try await enforcer(reader: log).catchUp() }
        #expect(try await disabled().map(\.stream) == [.key("key-2"), .key("key-1")])
    }

    @Test func whatIsSkippedHasNoPartInAnything() async throws {
        try await prepare()
        let log = UnreadableLog(of: bench.store)
        let issued = try await position(of: "key.issued", in: .key("key-1"))
        log.garble(issued)
        try await enforcer(reader: log).catchUp()
        try await answer(issued, isSkipped: true)
        try await enforcer(reader: log).catchUp()
        log.mend()
        try await cross()
        try await enforcer(reader: log).catchUp()
        #expect(try await disabled().map(\.stream) == [.key("key-2")])
        #expect(try await parked() == [issued.value])
    }

    @Test(.timeLimit(.minutes(1))) func runningItAnswersWithinABatch() async throws {
        try await prepare()
        let enforcer = enforcer()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await enforcer.run(CutSubscription(store: bench.store, pieceEvents: 2)) }
            try await cross()
            while try await disabled().count < 2 { await Task.yield() }
            group.cancelAll()
        }
    }
}
