import EventLog

/// Commits made beforehand, in the form the log publishes: what the wire is measured with.
struct CommittedBatches: EventReader {
    struct Commit: Sendable {
        var first: Position
        var count: Int
        var bytes: [UInt8]
    }

    let commits: [Commit]

    init(events: Int, perCommit: Int, size: Int) {
        let stream = StreamName("usage-acme-2026-11-20")
        commits = stride(from: 0, to: events, by: perCommit).map { begin in
            var bytes: [UInt8] = []
            let count = min(perCommit, events - begin)
            for number in begin..<begin + count {
                var event = Workload.typical.usage(number).event
                let without = EventCodec.fixedBytes + 4 * 2 + 4 + stream.text.utf8.count + 25
                event.payload = [UInt8](repeating: 7, count: max(0, size - without))
                EventCodec.encode(
                    RecordedEvent(
                        position: Position(UInt64(number) + 1), stream: stream,
                        version: StreamVersion(UInt64(number) + 1),
                        recorded: event.occurred, producer: "bench", producerSequence: 1, event: event), into: &bytes)
            }
            return Commit(first: Position(UInt64(begin) + 1), count: count, bytes: bytes)
        }
    }

    func head() async throws(StoreError) -> Position {
        Position(commits.last.map { $0.first.value + UInt64($0.count) - 1 } ?? 0)
    }

    /// The commit that holds the next position, decoded: what a subscriber reads when the wire has dropped something.
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        let head = try await head()
        guard let commit = commits.last(where: { $0.first <= position.next }) else {
            return ReadPage(events: [], scannedThrough: position, head: head)
        }
        var decoder = EventDecoder()
        do {
            let events = try commit.bytes.withUnsafeBytes { try decoder.decodeAll($0) }.filter {
                $0.position > position
            }
            return ReadPage(events: events, scannedThrough: events.last?.position ?? position, head: head)
        } catch {
            throw .failed(StoreFailure(code: "bench-commit", message: "\(error)", isRetriable: false))
        }
    }

    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    { [] }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] { [] }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? { nil }
}

/// A store that hands over the next prepared commit with each append, and keeps nothing.
struct ReplayedStore: GroupStore {
    private let committed: CommittedBatches
    private var next = 0
    let fatalFailure: StoreFailure? = nil

    init(committed: CommittedBatches) { self.committed = committed }

    var head: Position {
        next == 0
            ? .start : Position(committed.commits[next - 1].first.value + UInt64(committed.commits[next - 1].count) - 1)
    }

    mutating func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        ProducerSession(producer: producer, epoch: 1, lastSequence: 0)
    }

    mutating func append(group: [AppendRequest]) -> GroupOutcome {
        let commits = committed.commits[next..<min(next + group.count, committed.commits.count)]
        let first = commits.first?.first ?? head.next
        next += commits.count
        return GroupOutcome(
            results: group.map { _ in .success(AppendReceipt(first: first, count: 0, repeated: false)) },
            committed: commits.flatMap(\.bytes), committedCount: commits.reduce(0) { $0 + $1.count }, first: first)
    }
}
