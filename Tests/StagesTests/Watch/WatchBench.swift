import EventLog
import FinOps
import Logging
import Stages
import TestSupport

/// A log, a clock and a watcher over both. Amounts are cents; the project P belongs to the team A, and key_a pays for it.
struct WatchBench: Sendable {
    let clock = TickingClock(startingAt: hour("2026-11-20", 12))
    let store: InMemoryEventStore

    init() { store = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: clock.now) }

    func watcher(
        _ store: (any EventStore)? = nil, reader: (any EventReader)? = nil,
        onProgress: @escaping @Sendable (ReactorProgress) -> Void = { _ in }
    ) -> ThresholdWatcher {
        ThresholdWatcher(
            store: store ?? self.store, reader: reader ?? self.store, currency: .usd, logger: .silent, now: clock.now,
            pause: { _ in await Task.yield() }, onProgress: onProgress)
    }

    func append(_ events: [FinOpsEvent], to stream: StreamName) async throws {
        try await append([StreamAppend(stream, events.map { $0.newEvent(in: stream, occurred: clock.now()) })])
    }

    func append(_ streams: [StreamAppend]) async throws {
        let session = try await store.openSession("test")
        try await store.append(AppendRequest(session: session, sequence: session.lastSequence + 1, streams))
    }

    func arm(_ scope: CostScope = .project("P"), daily: Int64, levels: [UInt32] = [80, 100]) async throws {
        try await append([Self.threshold(scope, daily: daily, levels: levels)], to: .threshold(scope))
    }

    static func threshold(_ scope: CostScope, daily: Int64, weekly: Int64? = nil, levels: [UInt32]) -> FinOpsEvent {
        var event = WireThresholdSet()
        (event.scope, event.name, event.levels, event.zone) = (scope.kind, scope.name, levels, "Asia/Seoul")
        event.daily = money(daily)
        if let weekly { event.weekly = money(weekly) }
        return .thresholdSet(event)
    }

    func disarm(_ scope: CostScope = .project("P")) async throws {
        var event = WireThresholdRemoved()
        (event.scope, event.name) = (scope.kind, scope.name)
        try await append([.thresholdRemoved(event)], to: .threshold(scope))
    }

    func assign(_ key: String = "key_a", to project: String = "P") async throws {
        var event = WireAttributionAssigned()
        (event.provider, event.account, event.apiKeyID) = ("openai", "acme", key)
        (event.project, event.team) = (project, "A")
        event.version = try await store.head().value
        try await append([.attributionAssigned(event)], to: .assignment(provider: "openai", account: "acme"))
    }

    func usage(_ cents: [Int64], on text: String = "2026-11-20", at start: Int64 = 0) async throws {
        let events = cents.enumerated().map { index, cents in
            Self.usage(cents, text, start + Int64(index) % 24)
        }
        try await append(events, to: .usage(account: "acme", day: day(text)))
    }

    static func usage(_ cents: Int64, _ day: String, _ at: Int64, key: String = "key_a") -> FinOpsEvent {
        var event = WireUsageRecorded()
        event.row = usageRow(start: hour(day, at), key: key)
        event.row.cost = money(cents)
        event.observed = event.row.bucketEnd
        return .usageRecorded(event)
    }

    static func restated(_ cents: Int64, by difference: Int64, _ day: String, _ at: Int64) -> FinOpsEvent {
        var event = WireUsageRestated()
        event.row = usageRow(start: hour(day, at))
        event.row.cost = money(cents)
        event.difference = money(difference)
        event.observed = event.row.bucketEnd
        return .usageRestated(event)
    }

    static func money(_ cents: Int64) -> WireMoney { usd(nanos: cents * 10_000_000).wire }

    func poison(on text: String = "2026-11-20") async throws {
        let event = NewEvent(
            id: EventID(high: 1, low: 1), type: "usage.recorded", occurred: clock.now(), payload: [0xFF, 0xFF])
        try await append([StreamAppend(.usage(account: "acme", day: day(text)), [event])])
    }

    func recorded(_ types: Set<EventType>) async throws -> [RecordedEvent] {
        try await store.read(after: .start, limit: 10_000, types: types).events
    }

    /// What was found, in the order of the log: `+` for a crossing, `-` for a clearing.
    func findings() async throws -> [String] {
        try await recorded(["threshold.crossed", "threshold.cleared"]).compactMap { event in
            try EventCatalogue.decode(event.event).flatMap(Self.text)
        }
    }

    static func text(_ event: FinOpsEvent) -> String? {
        switch event {
        case .thresholdCrossed(let event):
            "+\(event.scope)/\(event.name) \(event.window) \(event.firstDay) \(event.level) % at \(event.position): "
                + "\(event.cost.nanos / 10_000_000) of \(event.limit.nanos / 10_000_000), \(event.basis), "
                + "\(event.previous.nanos) \(event.forecast.nanos) \(event.usageThrough) \(event.cause.apiKeyID)"
        case .thresholdCleared(let event):
            "-\(event.scope)/\(event.name) \(event.window) \(event.firstDay) \(event.level) % at \(event.position): "
                + "\(event.cost.nanos / 10_000_000) \(event.reason)"
        default: nil
        }
    }

    /// The findings without their details.
    func told() async throws -> [String] {
        try await findings().map { String($0.prefix { $0 != "%" }.dropLast()) }
    }

    var checkpoint: Position? {
        get async throws { try await store.session(of: "threshold-watcher").map { Position($0.lastSequence) } }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// A live view in pieces of a given size, whose end is not always known.
struct CutSubscription: EventSubscribing {
    let store: InMemoryEventStore
    let pieceEvents: Int
    /// A wire that cuts a commit tells the end of each piece as the head.
    var tellsPiecesAsHead = false

    func subscribe(after position: Position, types: Set<EventType>?) -> AsyncThrowingStream<
        SubscriptionBatch, any Error
    > {
        AsyncThrowingStream { continuation in
            let task = Task {
                var at = position
                while !Task.isCancelled {
                    let page = try await store.read(after: at, limit: pieceEvents, types: types)
                    if page.scannedThrough > at {
                        at = page.scannedThrough
                        let head = tellsPiecesAsHead ? at : page.head
                        continuation.yield(SubscriptionBatch(events: page.events, scannedThrough: at, head: head))
                    }
                    await Task.yield()
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

/// A log that loses its connection at random, before or after it has written.
actor UnsteadyStore: EventStore {
    private let store: InMemoryEventStore
    private let pieceEvents: Int
    private var random: SeededGenerator

    init(_ store: InMemoryEventStore, seed: UInt64, pieceEvents: Int = 12) {
        self.store = store
        self.pieceEvents = pieceEvents
        random = SeededGenerator(seed: seed)
    }

    func head() async throws(StoreError) -> Position { try await store.head() }
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await store.read(after: position, limit: Int.random(in: 1...pieceEvents, using: &random), types: types)
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
        let fate = Int.random(in: 0..<4, using: &random)
        if fate == 0 { throw .failed(StoreFailure(code: "test-away", message: "not sent", isRetriable: false)) }
        let receipt = try await store.append(request)
        if fate == 1 { throw .failed(StoreFailure(code: "test-deaf", message: "no answer", isRetriable: false)) }
        return receipt
    }
}
