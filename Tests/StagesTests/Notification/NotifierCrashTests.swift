import EventLog
import FinOps
import Notices
import Stages
import Synchronization
import TestSupport
import Testing

/// A notifier that dies at every step at which a process can die: everything is told, and what was acknowledged is not
/// told again.
@Suite struct NotifierCrashTests {
    /// - Parameter isWritten: whether the last append before the end was.
    @Test(arguments: 1...10, [true, false])
    func everyCrossingIsToldWhereverItDies(_ appends: Int, _ isWritten: Bool) async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        bench.otherSide.answer(.failed(DeliveryFailure(code: "unavailable", message: "no", isRetriable: true)))
        try await bench.cross("search")
        try await bench.cross("chat")
        let dying = MortalStore(store: bench.store, appends: appends, isWritten: isWritten)
        do {
            try await bench.run(bench.notifier(dying)) { try await goesOn(bench) }
        } catch is StoreError {}
        let acknowledged = try await acknowledged(bench)
        let before = bench.otherSide.arrived.count
        try await bench.run(bench.notifier()) { try await goesOn(bench) }

        let crossings = try await bench.store.read(after: .start, limit: 1_000, types: ["threshold.crossed"]).events
        #expect(Set(bench.otherSide.facts("slack")) == Set(crossings.map { "crossed-\($0.position)" }))
        var seen: Set<String> = []
        for (index, notice) in bench.otherSide.arrived.enumerated() {
            #expect(index < before || !acknowledged.contains(notice.id), "acknowledged, and told again")
            if !seen.insert(notice.id).inserted { #expect(notice.mayRepeat, "told again, and does not say so") }
        }
    }

    /// A third crossing comes when the first two are told; over when it is told as well.
    private func goesOn(_ bench: NotifierBench) async throws -> Bool {
        bench.clock.advance(bySeconds: 1)
        let outbox = try await bench.store.readAll(stream: .outbox("slack"))
        guard outbox.last?.type == "notification.delivered" else { return false }
        let crossings = try await bench.count("threshold.crossed")
        if crossings == 2 { try await bench.cross("mail") }
        return crossings == 3 && Set(bench.otherSide.facts("slack")).count == 3
    }

    private func acknowledged(_ bench: NotifierBench) async throws -> Set<String> {
        Set(
            try await bench.events("notification.delivered").compactMap {
                if case .notificationDelivered(let event) = $0 { event.notification } else { nil }
            })
    }
}

/// A store whose user dies with one of its appends.
private actor MortalStore: EventStore {
    private let store: InMemoryEventStore
    private var left: Int
    private let isWritten: Bool

    init(store: InMemoryEventStore, appends: Int, isWritten: Bool) {
        self.store = store
        left = appends
        self.isWritten = isWritten
    }

    private static let dead = StoreError.failed(StoreFailure(code: "dead", message: "dead", isRetriable: false))

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        left -= 1
        if left > 0 { return try await store.append(request) }
        if left == 0, isWritten { _ = try await store.append(request) }
        throw Self.dead
    }

    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try await store.openSession(producer)
    }

    func head() async throws(StoreError) -> Position { try await store.head() }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await store.read(after: position, limit: limit, types: types)
    }

    func read(
        stream: StreamName, after version: StreamVersion, limit: Int
    ) async throws(StoreError) -> [RecordedEvent] {
        try await store.read(stream: stream, after: version, limit: limit)
    }

    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await store.streams(prefix: prefix, after: name, limit: limit)
    }

    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await store.session(of: producer)
    }
}
