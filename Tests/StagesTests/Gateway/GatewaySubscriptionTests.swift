import EventLog
import FinOps
import Spool
import Stages
import Synchronization
import TestSupport
import Testing

@Suite struct GatewaySubscriptionTests {
    private let bench = WatchBench()

    private func disable(_ key: String) async throws {
        var event = WireKeyDisabled()
        (event.key, event.cause) = (key, "person")
        try await bench.append([.keyDisabled(event)], to: .key(key))
    }

    /// Runs a subscription until `body` has seen enough.
    private func follow(
        _ path: String, _ sink: RefusedKeys, keepEvery: Duration = .seconds(3_600), isLogAway: Bool = false,
        _ body:
            @Sendable (GatewaySubscription, Spool, @Sendable () -> GatewaySubscription.Progress?) async throws -> Void
    ) async throws {
        let spool = try Spool(path)
        let told = Latest<GatewaySubscription.Progress>()
        let store = bench.store
        let subscription = GatewaySubscription(
            .init(
                gateway: "test", types: ["key.disabled", "key.issued"], keepEvery: keepEvery,
                askEvery: .milliseconds(1), patience: .milliseconds(20)), sink: sink, spool: spool,
            snapshots: SnapshotFile(path + "/state"),
            ask: { () throws(StoreError) in
                if isLogAway { throw LossyStore.lost }
                return try await store.head()
            }, logger: .silent, now: { Timestamp(seconds: 1_800_000_000) },
            onProgress: { told.tell($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await subscription.run(isLogAway ? Silence() : Following(store: store)) }
            try await body(subscription, spool) { told.value }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        await spool.close()
    }

    @Test func itIsReadyAtTheHeadOfTheStartAndThenFollows() async throws {
        for number in 0..<250 { try await disable("key-\(number)") }
        try await withTemporaryDirectory { path in
            let sink = RefusedKeys()
            try await follow(path, sink) { subscription, _, progress in
                try await eventually { progress()?.isReady == true }
                #expect(sink.disabled.count == 250 && progress()?.handled == Position(250))
                try await disable("key-live")
                try await eventually { sink.disabled.contains("key-live") }
                try await eventually { subscription.contact.isProven && subscription.contact.age() < .seconds(20) }
            }
        }
    }

    @Test func aDisablementIsToldOnceItWouldSurviveARestartWithoutTheLog() async throws {
        try await disable("key-old")
        try await withTemporaryDirectory { path in
            try await follow(path, RefusedKeys()) { _, spool, progress in
                try await eventually { progress()?.isReady == true }
                try await disable("key-a")
                try await eventually { spool.status.durable == 1 }
                let record = try #require(try await spool.read(after: 0, limit: 10).first)
                #expect(record.stream == "enforcement-test")
                guard case .keyDisablementEnforced(let fact)? = try EventCatalogue.decode(record.event) else {
                    throw NotYet()
                }
                // What was decided before this gateway ever ran is not told by it.
                #expect(fact.key == "key-a" && fact.decision == 2)
                // The log forgets nothing, but this restart has no log.
                let state = try #require(try SnapshotFile(path + "/state").load())
                #expect(state.position == Position(2))
            }
            let restarted = RefusedKeys()
            try await follow(path, restarted, isLogAway: true) { subscription, spool, progress in
                try await eventually { progress()?.isReady == true }
                #expect(restarted.disabled == ["key-old", "key-a"])
                #expect(!subscription.contact.isProven && spool.status.written >= 1)
            }
        }
    }

    @Test func withoutTheLogAndWithoutAStateItIsNotReady() async throws {
        try await withTemporaryDirectory { path in
            try await follow(path, RefusedKeys(), isLogAway: true) { subscription, _, progress in
                // Ten times its patience.
                try await eventually { subscription.contact.age() >= .milliseconds(200) }
                #expect(progress() == nil)
            }
        }
    }

    @Test func aStateOfAnotherVersionIsMadeAnewFromTheLog() async throws {
        try await disable("key-a")
        try await withTemporaryDirectory { path in
            let foreign = SnapshotFile(path + "/state")
            try await foreign.save(.init(position: Position(1), bytes: [0xFF]))
            let sink = RefusedKeys()
            try await follow(path, sink) { _, spool, progress in
                try await eventually { progress()?.isReady == true }
                #expect(sink.disabled == ["key-a"])
                #expect(spool.status.written == 0)
            }
        }
    }

    @Test func aLogThatWentBackIsNotFollowed() async throws {
        try await disable("key-a")
        try await withTemporaryDirectory { path in
            try await SnapshotFile(path + "/state").save(
                .init(position: Position(9), bytes: RefusedKeys.state(["key-b"])))
            let spool = try Spool(path)
            let subscription = GatewaySubscription(
                .init(gateway: "test", types: ["key.disabled"]), sink: RefusedKeys(), spool: spool,
                snapshots: SnapshotFile(path + "/state"), ask: { Position(1) }, logger: .silent,
                now: { Timestamp(seconds: 1_800_000_000) })
            let error = await #expect(throws: GatewayAhead.self) { try await subscription.run(WentBack()) }
            #expect(error?.description.contains("remove \(path)/state") == true)
            await spool.close()
        }
    }

    @Test func contactIsTheLastMomentOfWhichEverythingIsKnown() {
        let start = ContinuousClock.now
        let contact = LogContact(now: start)
        #expect(contact.age(at: start + .seconds(3)) == .seconds(3))
        contact.heard(Position(5), asked: start + .seconds(1))
        #expect(!contact.isProven)
        // A later question does not push the first one's answer away.
        contact.heard(Position(9), asked: start + .seconds(2))
        contact.handled(Position(5))
        #expect(contact.isProven && contact.age(at: start + .seconds(3)) == .seconds(2))
        contact.heard(Position(5), asked: start + .seconds(4))
        #expect(contact.age(at: start + .seconds(4)) == .zero)
    }
}

/// The keys that are refused.
final class RefusedKeys: GatewaySink {
    private let keys = Mutex<Set<String>>([])

    var disabled: Set<String> { keys.withLock(\.self) }

    func known(_ recorded: RecordedEvent) -> FinOpsEvent? { nil }

    func apply(_ events: [GatewayEvent], through position: Position) -> [KeyEnforcement] {
        events.compactMap { arrived in
            guard case .keyDisabled(let event) = arrived.event else { return nil }
            keys.withLock { _ = $0.insert(event.key) }
            var fact = WireKeyDisablementEnforced()
            (fact.key, fact.gateway) = (event.key, "test")
            fact.decision = arrived.recorded.position.value
            return KeyEnforcement(fact: fact, cause: arrived.recorded.event.id)
        }
    }

    func snapshot() -> [UInt8] { Array(disabled.sorted().joined(separator: ",").utf8) }

    func restore(_ bytes: [UInt8]) throws {
        let names = String(decoding: bytes, as: UTF8.self).split(separator: ",").map(String.init)
        keys.withLock { $0 = Set(names) }
    }

    /// A gateway's state in which these are refused.
    static func state(_ names: [String]) -> [UInt8] {
        [UInt8](repeating: 0, count: 12) + Array(names.joined(separator: ",").utf8)
    }
}

/// A log of which nothing is heard.
private struct Silence: EventSubscribing {
    func subscribe(
        after position: Position, types: Set<EventType>?
    ) -> AsyncThrowingStream<SubscriptionBatch, any Error> {
        AsyncThrowingStream {
            try await Task.sleep(for: .seconds(3_600))
            return nil
        }
    }
}

/// A log that ends before what was handled.
private struct WentBack: EventSubscribing {
    func subscribe(
        after position: Position, types: Set<EventType>?
    ) -> AsyncThrowingStream<SubscriptionBatch, any Error> {
        AsyncThrowingStream {
            throw StoreError.failed(
                StoreFailure(code: "log-went-back", message: "the log ends at 1", isRetriable: false))
        }
    }
}
