import EventLog
import FinOps
import Stages
import Synchronization
import TestSupport
import Testing

@Suite struct ThresholdWatcherTests {
    @Test func aCrossingIsFoundOnceAndTheCheckpointReachesTheHead() async throws {
        let bench = WatchBench()
        try await bench.assign()
        try await bench.arm(daily: 1_000)
        try await bench.usage([500, 290])
        try await bench.usage([100], at: 5)
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+project/P day 2026-11-20 80"])
        let crossed = try #require(try await bench.recorded(["threshold.crossed"]).first)
        #expect(crossed.stream == "alert-day-2026-11-20" && crossed.producer == "threshold-watcher")
        #expect(crossed.producerSequence == 5)
        #expect(try await bench.checkpoint == bench.store.head())

        try await bench.usage([110], at: 6)
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+project/P day 2026-11-20 80", "+project/P day 2026-11-20 100"])
        #expect(try await bench.checkpoint == bench.store.head())
    }

    @Test func aRestatementTakesACrossingBackAndAnotherBringsItAgain() async throws {
        let bench = WatchBench()
        try await bench.arm(.organisation, daily: 1_000, levels: [100])
        try await bench.usage([1_000])
        try await bench.watcher().catchUp()
        let stream = StreamName.usage(account: "acme", day: day("2026-11-20"))
        try await bench.append([WatchBench.restated(900, by: -100, "2026-11-20", 0)], to: stream)
        try await bench.watcher().catchUp()
        try await bench.append([WatchBench.restated(1_001, by: 101, "2026-11-20", 0)], to: stream)
        try await bench.watcher().catchUp()
        #expect(
            try await bench.told() == [
                "+organisation/ day 2026-11-20 100", "-organisation/ day 2026-11-20 100",
                "+organisation/ day 2026-11-20 100",
            ])
    }

    @Test func aThresholdSetLaterFindsWhatTheRunningDayHasCostAlready() async throws {
        let bench = WatchBench()
        try await bench.assign()
        try await bench.usage([900])
        try await bench.watcher().catchUp()
        #expect(try await bench.told().isEmpty)
        try await bench.arm(daily: 1_000)
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+project/P day 2026-11-20 80"])
        try await bench.disarm()
        try await bench.usage([900], at: 4)
        try await bench.watcher().catchUp()
        try await bench.arm(daily: 1_000)
        try await bench.watcher().catchUp()
        let told = try await bench.told()
        #expect(told.suffix(1) == ["+project/P day 2026-11-20 100"], "\(told)")
    }

    @Test func aMappingBringsCostsToTheirProject() async throws {
        let bench = WatchBench()
        try await bench.arm(daily: 1_000)
        try await bench.usage([900])
        try await bench.watcher().catchUp()
        #expect(try await bench.told().isEmpty)
        try await bench.assign()
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+project/P day 2026-11-20 80"])
    }

    /// Millions of costs before the first threshold cost nothing.
    @Test func untilAThresholdIsArmedNoCostIsRead() async throws {
        let bench = WatchBench()
        for _ in 0..<3 { try await bench.usage(Array(repeating: 10, count: 1_000)) }
        let reader = CountingReader(store: bench.store)
        try await bench.watcher(reader: reader).catchUp()
        #expect(reader.costsRead == 0)
        #expect(try await bench.checkpoint == bench.store.head())
        try await bench.arm(daily: 1_000)
        try await bench.watcher(reader: reader).catchUp()
        // Each once, for the page of their day.
        #expect(reader.costsRead == 3_000)
    }

    @Test func nothingIsFoundTwiceHoweverOftenTheWatcherDies() async throws {
        let expected = try await history(seed: nil)
        #expect(expected.count > 10)
        for seed in UInt64(0)..<25 {
            let found = try await history(seed: seed)
            #expect(found == expected, "seed \(seed)")
        }
    }

    /// - Parameter seed: of what goes wrong; nil for nothing.
    private func history(seed: UInt64?) async throws -> [String] {
        let bench = WatchBench()
        try await fill(bench)
        guard let seed else {
            try await bench.watcher().catchUp()
            return try await bench.findings()
        }
        let store = UnsteadyStore(bench.store, seed: seed)
        try await untilDone { try await bench.watcher(store, reader: store).catchUp() }
        #expect(try await bench.checkpoint == bench.store.head(), "seed \(seed)")
        return try await bench.findings()
    }

    /// A week of costs that grow and are taken back, against thresholds that come and go.
    private func fill(_ bench: WatchBench) async throws {
        var random = SeededGenerator(seed: 4_711)
        try await bench.assign()
        try await bench.arm(daily: 500)
        var amounts: [String: Int64] = [:]
        for round in 0..<60 {
            let number = 14 + Int.random(in: 0...6, using: &random)
            let (text, at) = ("2026-11-\(number)", Int64.random(in: 0...23, using: &random))
            let stream = StreamName.usage(account: "acme", day: day(text))
            let known = amounts["\(text) \(at)"]
            let cents = Int64.random(in: 0...400, using: &random)
            amounts["\(text) \(at)"] = cents
            let event =
                known.map { WatchBench.restated(cents, by: cents - $0, text, at) } ?? WatchBench.usage(cents, text, at)
            // Some commits are of several events.
            let more = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                WatchBench.usage(Int64.random(in: 0...30, using: &random), text, at, key: "key_b")
            }
            try await bench.append([event] + more, to: stream)
            switch round {
            case 10:
                try await bench.append(
                    [WatchBench.threshold(.organisation, daily: 900, weekly: 3_000, levels: [50, 100])],
                    to: .threshold(.organisation))
            case 20: try await bench.assign("key_b")
            case 30: try await bench.arm(daily: 700)
            case 40: try await bench.disarm()
            case 45: try await bench.arm(.team("A"), daily: 600)
            case 50: try await bench.arm(daily: 300)
            default: break
            }
        }
    }

    /// Then a crash may come between the parts of one append.
    @Test func moreFindingsThanOneRequestTakesAreFoundOnce() async throws {
        let count = 1_100
        for seed in UInt64(0)..<3 {
            let bench = WatchBench()
            let names = (0..<count).map { "p\($0)" }
            let assignments = names.map { name in
                var event = WireAttributionAssigned()
                (event.provider, event.account, event.apiKeyID) = ("openai", "acme", "key_\(name)")
                (event.project, event.team, event.version) = (name, "A", 1)
                return FinOpsEvent.attributionAssigned(event)
            }
            try await bench.append(assignments, to: .assignment(provider: "openai", account: "acme"))
            try await bench.append(
                names.map { name in
                    let event = WatchBench.threshold(.project(name), daily: 100, levels: [80, 100])
                    return StreamAppend(
                        .threshold(.project(name)),
                        [event.newEvent(in: .threshold(.project(name)), occurred: bench.clock.now())])
                })
            try await bench.append(
                names.map { WatchBench.usage(100, "2026-11-20", 3, key: "key_\($0)") },
                to: .usage(account: "acme", day: day("2026-11-20")))
            let store = UnsteadyStore(bench.store, seed: seed, pieceEvents: 2_000)
            try await untilDone { try await bench.watcher(store, reader: store).catchUp() }
            let told = try await bench.told()
            #expect(told.count == 2 * count && Set(told).count == told.count, "seed \(seed)")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2, 3, 7, 50])
    func itDoesNotMatterWhereBatchesEnd(_ pieceEvents: Int) async throws {
        let whole = WatchBench()
        try await fill(whole)
        try await whole.watcher().catchUp()
        for tellsPiecesAsHead in [false, true] {
            let bench = WatchBench()
            try await fill(bench)
            try await running(
                bench,
                CutSubscription(store: bench.store, pieceEvents: pieceEvents, tellsPiecesAsHead: tellsPiecesAsHead)
            ) {
                try await wait { try await bench.checkpoint == bench.store.head() }
            }
            #expect(try await bench.findings() == whole.findings())
        }
    }

    @Test(.timeLimit(.minutes(1))) func runningItFindsWhatHappens() async throws {
        let bench = WatchBench()
        try await running(bench, CutSubscription(store: bench.store, pieceEvents: 100)) {
            try await bench.assign()
            try await bench.arm(daily: 1_000)
            try await bench.usage([850])
            try await wait { try await bench.told().count == 1 }
            try await bench.usage([150], at: 3)
            try await wait { try await bench.told().count == 2 }
            // Whatever leads to nothing moves the checkpoint all the same.
            try await bench.usage([1], at: 4)
            try await wait { try await bench.checkpoint == bench.store.head() }
        }
    }

    @Test func aPoisonousEventIsParkedWithWhatFollowsAndTheRestGoesOn() async throws {
        let bench = WatchBench()
        try await bench.arm(.organisation, daily: 1_000, levels: [100])
        try await bench.usage([500])
        try await bench.poison()
        try await bench.usage([600], at: 4)
        try await bench.usage([1_200], on: "2026-11-18")
        try await bench.watcher().catchUp()
        #expect(try await bench.parked() == [3])
        #expect(try await bench.told() == ["+organisation/ day 2026-11-18 100"])

        // A restarted watcher still knows: what follows in that stream waits without a record of its own.
        try await bench.usage([300], at: 5)
        try await bench.watcher().catchUp()
        #expect(try await bench.parked() == [3])
        #expect(try await bench.told().count == 1)

        try await bench.answer(3, isSkipped: false)
        try await bench.watcher().catchUp()
        #expect(try await bench.parked() == [3, 3])
        try await bench.answer(3, isSkipped: true)
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+organisation/ day 2026-11-18 100", "+organisation/ day 2026-11-20 100"])
        let crossed = try await bench.findings()
        #expect(crossed.last?.contains("1400 of 1000") == true, "\(crossed)")

        // Skipped for good: it is left out of a page, too.
        try await bench.usage([1], at: 6)
        try await bench.watcher().catchUp()
        #expect(try await bench.parked() == [3, 3])
        #expect(try await bench.told().count == 2)
    }

    @Test func poisonFromBeforeTheFirstThresholdIsMetWhenItsDayIsRead() async throws {
        let bench = WatchBench()
        try await bench.usage([500])
        try await bench.poison()
        try await bench.usage([600], at: 4)
        try await bench.watcher().catchUp()
        #expect(try await bench.parked().isEmpty)
        try await bench.arm(.organisation, daily: 400, levels: [100, 250])
        try await bench.watcher().catchUp()
        #expect(try await bench.parked() == [2])
        #expect(try await bench.told() == ["+organisation/ day 2026-11-20 100"])
        try await bench.answer(2, isSkipped: true)
        try await bench.watcher().catchUp()
        #expect(try await bench.told() == ["+organisation/ day 2026-11-20 100", "+organisation/ day 2026-11-20 250"])
    }

    @Test func aStaleWatcherIsFenced() async throws {
        let bench = WatchBench()
        let stale = bench.watcher()
        let subscription = CutSubscription(store: bench.store, pieceEvents: 100)
        async let running: Void = stale.run(subscription)
        try await wait { try await bench.store.session(of: "threshold-watcher-clock") != nil }
        _ = try await bench.store.openSession("threshold-watcher")
        try await bench.arm(.organisation, daily: 100)
        try await bench.usage([100])
        do {
            try await running
            Issue.record("it went on beside its successor")
        } catch StoreError.refused(.fenced) {}
        #expect(try await bench.findings().isEmpty)
    }

    private func untilDone(_ body: () async throws -> Void) async throws {
        while true {
            do { return try await body() } catch StoreError.failed {}
        }
    }

    private func running(
        _ bench: WatchBench, _ subscription: CutSubscription, _ body: () async throws -> Void
    ) async throws {
        let watcher = bench.watcher()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watcher.run(subscription) }
            try await body()
            group.cancelAll()
        }
    }

    private func wait(until condition: () async throws -> Bool) async throws {
        while try await !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}

extension WatchBench {
    fileprivate func parked() async throws -> [UInt64] {
        try await recorded(["processing.failed"]).compactMap { event in
            guard case .processingFailed(let failure) = try EventCatalogue.decode(event.event) else { return nil }
            return failure.position
        }
    }

    fileprivate func answer(_ position: UInt64, isSkipped: Bool) async throws {
        let stream = StreamName.failures(stage: ThresholdWatcher.stage)
        if isSkipped {
            var event = WireProcessingSkipped()
            (event.stage, event.position, event.reason) = (ThresholdWatcher.stage, position, "a test")
            try await append([.processingSkipped(event)], to: stream)
        } else {
            var event = WireProcessingRetried()
            (event.stage, event.position) = (ThresholdWatcher.stage, position)
            try await append([.processingRetried(event)], to: stream)
        }
    }
}

/// Counts the costs that are read.
private final class CountingReader: EventReader {
    private let store: InMemoryEventStore
    private let count = Mutex(0)

    init(store: InMemoryEventStore) { self.store = store }

    var costsRead: Int { count.withLock { $0 } }

    func head() async throws(StoreError) -> Position { try await store.head() }
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        let page = try await store.read(after: position, limit: limit, types: types)
        add(page.events)
        return page
    }
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        let events = try await store.read(stream: stream, after: version, limit: limit)
        add(events)
        return events
    }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await store.streams(prefix: prefix, after: name, limit: limit)
    }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await store.session(of: producer)
    }
    private func add(_ events: [RecordedEvent]) {
        count.withLock { $0 += events.count { $0.stream.category == "usage" } }
    }
}
