import EventLog
import Synchronization

/// Commits made beforehand, in the form the log publishes: what the wire is measured with. To its readers it holds what was
/// handed over so far, as a log would.
final class CommittedBatches: EventReader {
    struct Commit: Sendable {
        var first: Position
        var count: Int
        var bytes: [UInt8]

        var last: Position { Position(first.value + UInt64(count) - 1) }
    }

    let commits: [Commit]
    private let handedOver = Atomic(0)
    private let readEvents = Atomic(0)

    /// - Parameters:
    ///   - small: so many commits of one event come first: for finding out whether the wire is heard.
    ///   - large: then so many of `perCommit` events.
    init(small: Int, large: Int, perCommit: Int, size: Int) {
        let stream = StreamName("usage-acme-2026-11-20")
        commits = (0..<small + large).map { index in
            var bytes: [UInt8] = []
            let begin = index < small ? index : small + (index - small) * perCommit
            let count = index < small ? 1 : perCommit
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

    /// Events that a subscriber had to read here because the wire had lost them.
    var eventsRead: Int { readEvents.load(ordering: .sequentiallyConsistent) }

    var written: ArraySlice<Commit> { commits.prefix(handedOver.load(ordering: .sequentiallyConsistent)) }

    /// Hands over up to `count` further commits: from now on readers find them.
    func handOver(_ count: Int) -> ArraySlice<Commit> {
        let begin = handedOver.load(ordering: .sequentiallyConsistent)
        let end = min(begin + count, commits.count)
        handedOver.store(end, ordering: .sequentiallyConsistent)
        return commits[begin..<end]
    }

    func head() async throws(StoreError) -> Position { written.last?.last ?? .start }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        let head = try await head()
        guard position < head, let commit = written.last(where: { $0.first <= position.next }) else {
            return ReadPage(events: [], scannedThrough: position, head: head)
        }
        var decoder = EventDecoder()
        do {
            let events = try commit.bytes.withUnsafeBytes { try decoder.decodeAll($0) }.filter {
                $0.position > position
            }
            readEvents.add(events.count, ordering: .sequentiallyConsistent)
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
    let committed: CommittedBatches
    let fatalFailure: StoreFailure? = nil

    var head: Position { committed.written.last?.last ?? .start }

    mutating func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        ProducerSession(producer: producer, epoch: 1, lastSequence: 0)
    }

    mutating func append(group: [AppendRequest]) -> GroupOutcome {
        let first = head.next
        let commits = committed.handOver(group.count)
        return GroupOutcome(
            results: group.map { _ in .success(AppendReceipt(first: first, count: 0, repeated: false)) },
            committed: commits.count == 1 ? commits[commits.startIndex].bytes : commits.flatMap(\.bytes),
            committedCount: commits.reduce(0) { $0 + $1.count }, first: first)
    }
}
