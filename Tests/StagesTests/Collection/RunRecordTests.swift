import EventLog
import FinOps
import TestSupport
import Testing

@testable import Stages

/// Every run that begins ends, in the log, too.
@Suite struct RunRecordTests {
    private let monday = day("2026-11-16")
    private let scene = CollectionScene(now: Timestamp(seconds: hour("2026-11-25", 0)))

    private func ends() async throws -> [String] {
        try await scene.events().compactMap { event in
            switch event {
            case .runFinished: "finished"
            case .runFailed(let failed): failed.code
            default: nil
            }
        }
    }

    @Test func aRunThatWasKilledIsClosedByTheNext() async throws {
        await #expect(throws: StoreError.self) {
            try await scene.collector(in: DyingStore(scene.log, appends: 1)).collect(.daily, monday...monday)
        }
        #expect(try await ends() == [])
        scene.ledger.giveUp()
        _ = try await scene.collector().collect(.poll, day("2026-11-20")...day("2026-11-20"))
        #expect(try await ends() == ["abandoned", "finished"])
        #expect(scene.ledger.entries.isEmpty)
    }

    @Test func aRunThatIsStillUnderWayIsLeftAlone() async throws {
        await #expect(throws: StoreError.self) {
            try await scene.collector(in: DyingStore(scene.log, appends: 1)).collect(.daily, monday...monday)
        }
        _ = try await scene.collector().collect(.poll, monday...monday)
        #expect(try await ends() == ["finished"])
        #expect(scene.ledger.entries.count == 1)
    }

    @Test func aRunKilledBeforeItsFirstWordLeavesNoRecord() async throws {
        await #expect(throws: StoreError.self) {
            try await scene.collector(in: DyingStore(scene.log, appends: 0)).collect(.daily, monday...monday)
        }
        scene.ledger.giveUp()
        _ = try await scene.collector().collect(.poll, monday...monday)
        #expect(try await ends() == ["finished"])
        #expect(scene.ledger.entries.isEmpty)
    }

    @Test func aRunThatIsStoppedSaysSo() async throws {
        let collector = scene.collector()
        let run = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await collector.collect(.daily, day("2026-11-16")...day("2026-11-16"))
        }
        await #expect(throws: CancellationError.self) { try await run.value }
        #expect(try await ends() == ["cancelled"])
        #expect(scene.ledger.entries.isEmpty)
    }

    @Test func aPollReadsOnlyWhatIsNewOfItsDay() async throws {
        let reads = CountingStore(scene.log)
        let memory = DayMemory()
        func poll() async throws {
            let collector = Collector(
                account: CollectionScene.account, source: scene.source, log: reads, prices: CurrentPrices(log: reads),
                calendar: .seoul, memory: memory, environment: scene.environment)
            _ = try await collector.collect(.poll, monday...monday)
        }
        for input in 1...20 {
            scene.source.change { script in
                script.usage = [
                    day("2026-11-16"): [
                        usageRow(start: hour("2026-11-16", 1)) { $0.inputTokens = Int64(input) }
                    ]
                ]
            }
            try await poll()
        }
        // Of the day's twenty events, each was read once but the last, which nobody has asked for since.
        #expect(await reads.eventsOfDays == 19)
    }
}

/// Counts the events of usage days that are read.
private actor CountingStore: EventStore {
    private let store: any EventStore
    private(set) var eventsOfDays = 0

    init(_ store: any EventStore) { self.store = store }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt { try await store.append(request) }
    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try await store.openSession(producer)
    }
    func head() async throws(StoreError) -> Position { try await store.head() }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await store.session(of: producer)
    }
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await store.read(after: position, limit: limit, types: types)
    }
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        let events = try await store.read(stream: stream, after: version, limit: limit)
        if stream.category == "usage" { eventsOfDays += events.count }
        return events
    }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await store.streams(prefix: prefix, after: name, limit: limit)
    }
}
