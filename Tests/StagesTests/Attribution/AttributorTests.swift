import EventLog
import FinOps
import Logging
import Stages
import TestSupport
import Testing

@Suite struct AttributorTests {
    /// A log, a clock and an attributor over both.
    private struct Bench: Sendable {
        let clock = TickingClock(startingAt: hour("2026-11-20", 12))
        let store: InMemoryEventStore

        init() { store = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: clock.now) }

        func attributor(_ store: (any EventStore)? = nil, tick: Duration = .milliseconds(1)) -> Attributor {
            Attributor(
                store: store ?? self.store, reader: self.store, settings: .init(tick: tick),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: clock.now,
                pause: { _ in await Task.yield() })
        }

        func append(_ event: FinOpsEvent, to stream: StreamName) async throws {
            try await append(event.newEvent(in: stream, occurred: clock.now()), to: stream)
        }

        func append(_ event: NewEvent, to stream: StreamName) async throws {
            let session = try await store.openSession("test")
            let request = AppendRequest(
                session: session, sequence: session.lastSequence + 1, [StreamAppend(stream, [event])])
            _ = try await store.append(request)
        }

        func setUpKey() async throws {
            try await append(Administered.project("P", team: "A"), to: .projects)
            try await append(Administered.connected("acme"), to: .connection(provider: "openai", account: "acme"))
            try await append(Administered.key("key_a", to: "P"), to: .mapping(provider: "openai"))
        }

        func bill(_ nanos: Int64, observed: Int64 = 1) async throws {
            var event = WireBillRecorded()
            event.row.provider = "openai"
            event.row.account = "acme"
            event.row.bucketStart = hour("2026-11-20", 0)
            event.row.projectID = "proj_a"
            event.row.amount = usd(nanos: nanos).wire
            event.observed = observed
            try await append(.billRecorded(event), to: .bill(account: "acme", day: day("2026-11-20")))
        }

        func usage(at: Int64, tokens: Int64) async throws {
            var event = WireUsageRecorded()
            event.row = usageRow(start: hour("2026-11-20", at)) { $0.inputTokens = tokens }
            event.row.cost = usd(nanos: tokens * 150).wire
            try await append(.usageRecorded(event), to: .usage(account: "acme", day: day("2026-11-20")))
        }

        func events(_ type: EventType) async throws -> [FinOpsEvent] {
            try await store.read(after: .start, limit: 10_000, types: [type]).events.compactMap {
                try EventCatalogue.decode($0.event)
            }
        }

        var checkpoint: UInt64? {
            get async throws { try await store.session(of: "attributor")?.lastSequence }
        }
    }

    @Test func aMappingIsAssignedOnceAndTheCheckpointReachesTheHead() async throws {
        let bench = Bench()
        try await bench.setUpKey()
        try await bench.attributor().catchUp()
        guard case .attributionAssigned(let event) = try await bench.events("attribution.assigned").first else {
            Issue.record("nothing was assigned")
            return
        }
        #expect(event.version == 3 && event.team == "A" && event.apiKeyID == "key_a")
        let head = try await bench.store.head()
        #expect(try await bench.checkpoint == head.value)
        try await bench.attributor().catchUp()
        #expect(try await bench.store.head() == head)
    }

    @Test func aBillIsSpreadAtOnceAndTakesForceWhenItIsDue() async throws {
        let bench = Bench()
        try await bench.usage(at: 3, tokens: 10)
        try await bench.bill(1_000)
        try await bench.attributor().catchUp()
        guard case .billAllocated(let allocation) = try await bench.events("bill.allocated").first else {
            Issue.record("nothing was allocated")
            return
        }
        #expect(allocation.rule == "project-cost" && allocation.parts.map(\.nanos) == [1_000])
        #expect(try await bench.events("bill.took-force").isEmpty)

        bench.clock.set(to: hour("2026-11-22", 0))
        try await bench.attributor().catchUp()
        #expect(try await bench.events("bill.took-force").count == 1)
        #expect(try await bench.events("bill.allocated").count == 1)
        #expect(try await bench.checkpoint == bench.store.head().value)
    }

    @Test func anOlderDaysBillCountsAtOnce() async throws {
        let bench = Bench()
        bench.clock.set(to: hour("2026-12-24", 0))
        try await bench.bill(1_000)
        try await bench.attributor().catchUp()
        #expect(try await bench.events("bill.took-force").count == 1)
    }

    @Test func laterUsageMovesTheSpread() async throws {
        let bench = Bench()
        try await bench.bill(1_000)
        try await bench.attributor().catchUp()
        try await bench.usage(at: 3, tokens: 10)
        try await bench.attributor().catchUp()
        let rules = try await bench.events("bill.allocated").map {
            if case .billAllocated(let event) = $0 { event.rule } else { "" }
        }
        #expect(rules == ["even", "project-cost"])
    }

    @Test func anAnswerLostOnTheWayIsNotGivenTwice() async throws {
        let bench = Bench()
        try await bench.setUpKey()
        try await bench.bill(1_000)
        // The log commits, but the attributor never hears of it and dies.
        let deaf = DeafStore(store: bench.store)
        await #expect(throws: StoreError.self) { try await bench.attributor(deaf).catchUp() }
        #expect(try await bench.events("attribution.assigned").count == 1)
        try await bench.attributor().catchUp()
        #expect(try await bench.events("attribution.assigned").count == 1)
        #expect(try await bench.events("bill.allocated").count == 1)
    }

    @Test func aPoisonousEventIsParkedWithWhatFollowsAndTheRestGoesOn() async throws {
        let bench = Bench()
        try await bench.setUpKey()
        let mapping = StreamName.mapping(provider: "openai")
        try await bench.append(Administered.key("k2", to: "Unknown"), to: mapping)
        try await bench.append(Administered.key("k3", to: "P"), to: mapping)
        try await bench.bill(5)
        try await bench.attributor().catchUp()
        let failed = try await bench.events("processing.failed").compactMap { event -> UInt64? in
            guard case .processingFailed(let failure) = event else { return nil }
            return failure.position
        }
        #expect(failed == [4, 5])
        #expect(try await bench.events("attribution.assigned").count == 1)
        #expect(try await bench.events("bill.allocated").count == 1)

        // A restarted attributor still knows; skipping the first lets the second through.
        var skip = WireProcessingSkipped()
        (skip.stage, skip.position, skip.reason) = ("attributor", 4, "a typing error")
        try await bench.append(.processingSkipped(skip), to: .failures(stage: "attributor"))
        try await bench.attributor().catchUp()
        #expect(try await bench.events("attribution.assigned").count == 2)
        #expect(try await bench.events("processing.failed").count == 2)
    }

    @Test func anUndecodablePayloadIsParkedAndMayBeRetried() async throws {
        let bench = Bench()
        try await bench.append(
            NewEvent(
                id: EventID(high: 1, low: 1), type: "key.mapped", occurred: .init(seconds: 1), payload: [0xFF, 0xFF]),
            to: .mapping(provider: "openai"))
        try await bench.attributor().catchUp()
        var retry = WireProcessingRetried()
        (retry.stage, retry.position) = ("attributor", 1)
        try await bench.append(.processingRetried(retry), to: .failures(stage: "attributor"))
        try await bench.attributor().catchUp()
        #expect(try await bench.events("processing.failed").count == 2)
    }

    @Test(.timeLimit(.minutes(1))) func runningItReactsAsThingsHappenAndBringsBillsIntoForce() async throws {
        let bench = Bench()
        let attributor = bench.attributor()
        let subscriptions = PollingSubscription(store: bench.store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await attributor.run(subscriptions) }
            try await bench.bill(1_000)
            try await wait { try await bench.events("bill.allocated").count == 1 }
            try await bench.setUpKey()
            try await wait { try await bench.events("attribution.assigned").count == 1 }
            bench.clock.set(to: hour("2026-11-22", 0))
            try await wait { try await bench.events("bill.took-force").count == 1 }
            try await wait { try await bench.checkpoint == bench.store.head().value }
            group.cancelAll()
        }
    }

    @Test func aStaleAttributorIsFenced() async throws {
        let bench = Bench()
        let stale = bench.attributor(tick: .seconds(1))
        let subscriptions = PollingSubscription(store: bench.store)
        async let running: Void = stale.run(subscriptions)
        try await wait { try await bench.store.session(of: "attributor-clock") != nil }
        _ = try await bench.store.openSession("attributor")
        try await bench.setUpKey()
        do {
            try await running
            Issue.record("it went on beside its successor")
        } catch StoreError.refused(.fenced) {}
        #expect(try await bench.events("attribution.assigned").isEmpty)
    }

    @Test func manyEventsThatDoNotMatterAreWalkedThrough() async throws {
        let bench = Bench()
        let session = try await bench.store.openSession("bulk")
        let noise = FinOpsEvent.modelUnpriced(.init()).newEvent(in: "unpriced-openai-x", occurred: .init(seconds: 1))
        for number in 1...3 {
            let request = AppendRequest(
                session: session, sequence: UInt64(number),
                [StreamAppend("unpriced-openai-x", Array(repeating: noise, count: 7_000))])
            _ = try await bench.store.append(request)
        }
        try await bench.setUpKey()
        try await bench.attributor().catchUp()
        #expect(try await bench.events("attribution.assigned").count == 1)
        #expect(try await bench.checkpoint == 21_004)
    }

    private func wait(until condition: () async throws -> Bool) async throws {
        while try await !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}

/// A store whose acknowledgements get lost.
private struct DeafStore: EventStore {
    let store: InMemoryEventStore

    func head() async throws(StoreError) -> Position { try await store.head() }
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await store.read(after: position, limit: limit, types: types)
    }
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        try await store.read(stream: stream, after: version, limit: limit)
    }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await store.streams(prefix: prefix, after: name, limit: limit)
    }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await store.session(of: producer)
    }
    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try await store.openSession(producer)
    }
    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        _ = try await store.append(request)
        throw .failed(StoreFailure(code: "test-deaf", message: "the acknowledgement was lost", isRetriable: false))
    }
}

/// A live view that asks the log again and again.
private struct PollingSubscription: EventSubscribing {
    let store: InMemoryEventStore

    func subscribe(after position: Position, types: Set<EventType>?) -> AsyncThrowingStream<
        SubscriptionBatch, any Error
    > {
        AsyncThrowingStream { continuation in
            let task = Task {
                var at = position
                while !Task.isCancelled {
                    let page = try await store.read(after: at, limit: 100, types: types)
                    if page.scannedThrough > at {
                        at = page.scannedThrough
                        continuation.yield(
                            SubscriptionBatch(events: page.events, scannedThrough: at, head: page.head))
                    }
                    await Task.yield()
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
