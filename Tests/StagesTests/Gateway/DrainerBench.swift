import EventLog
import FinOps
import Spool
import Stages
import Synchronization
import TestSupport

/// A log that loses its connection, and in which requests lie around that a killed gateway had sent.
actor LossyStore: EventStore {
    enum Fault: CaseIterable {
        /// It never arrived.
        case lostBefore
        /// It was written, and the answer was lost.
        case lostAfter
        /// The gateway is killed with the request on its way: it arrives when the next gateway is at work.
        case killedLate
        /// The gateway is killed before, or after, it was written.
        case killedBefore, killedAfter
    }

    private let store: InMemoryEventStore
    private var random: SeededGenerator
    /// Requests in a hundred that go wrong.
    var faults: Int
    private var late: [AppendRequest] = []
    private(set) var lateAnswers: [AppendRefusal?] = []

    init(_ store: InMemoryEventStore, seed: UInt64, faults: Int) {
        self.store = store
        self.faults = faults
        random = SeededGenerator(seed: seed)
    }

    static let killed = StoreError.failed(StoreFailure(code: "killed", message: "killed", isRetriable: false))
    static let lost = StoreError.failed(
        StoreFailure(code: StoreFailure.logUnreachable, message: "lost", isRetriable: true))

    func heal() { faults = 0 }

    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        if Int.random(in: 0..<100, using: &random) < faults { throw Self.lost }
        let session = try await store.openSession(producer)
        for request in late {
            do throws(StoreError) {
                _ = try await store.append(request)
                lateAnswers.append(nil)
            } catch {
                if case .refused(let refusal) = error { lateAnswers.append(refusal) }
            }
        }
        late = []
        return session
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        guard Int.random(in: 0..<100, using: &random) < faults, let fault = Fault.allCases.randomElement(using: &random)
        else { return try await store.append(request) }
        switch fault {
        case .lostBefore: throw Self.lost
        case .killedBefore: throw Self.killed
        case .killedLate:
            late.append(request)
            throw Self.killed
        case .lostAfter:
            _ = try await store.append(request)
            throw Self.lost
        case .killedAfter:
            _ = try await store.append(request)
            throw Self.killed
        }
    }

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
}

/// What was told last.
final class Latest<Value: Sendable>: Sendable {
    private let told = Mutex(Value?.none)

    var value: Value? { told.withLock { $0 } }

    func tell(_ value: Value) { told.withLock { $0 = value } }
}

extension Spool {
    /// Waits until everything is on disk.
    func settled() async { for await number in durableNumbers() where number == status.written { return } }
}

extension SpoolDrainer {
    static func test(
        _ spool: Spool, _ store: any EventStore, onProgress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) -> SpoolDrainer {
        SpoolDrainer(
            gateway: "test", spool: spool, store: store, logger: .silent, now: { Timestamp(seconds: 1_800_000_000) },
            pause: { _ in try await Task.sleep(for: .microseconds(200)) }, onProgress: onProgress)
    }
}
