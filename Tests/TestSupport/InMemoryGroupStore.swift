package import EventLog
import Synchronization

/// A log server's store without a disk, and its reader: for tests and simulations.
package final class InMemoryGroupStore: GroupStore, EventReader {
    fileprivate struct Producer {
        var epoch: UInt64 = 0
        var last: AppendRequest?
        var receipt: AppendReceipt?
    }

    fileprivate struct State {
        var log: [RecordedEvent] = []
        var streams: [StreamName: [Int]] = [:]
        var producers: [ProducerName: Producer] = [:]
    }

    private let state = Mutex(State())
    private let knownTypes: Set<EventType>?
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - knownTypes: types it accepts; nil for all.
    ///   - now: the clock that stamps what it records.
    package init(knownTypes: Set<EventType>? = nil, now: @escaping @Sendable () -> Timestamp) {
        self.knownTypes = knownTypes
        self.now = now
    }

    // MARK: GroupStore

    package var head: Position { state.withLock { $0.head } }

    package var fatalFailure: StoreFailure? { nil }

    package func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        state.withLock { state in
            state.producers[producer, default: Producer()].epoch += 1
            return state.session(of: producer)!
        }
    }

    package func append(group: [AppendRequest]) -> GroupOutcome {
        state.withLock { state in
            let first = state.head.next
            let results = group.map { request in
                Result { () throws(StoreError) in try state.append(request, knownTypes: knownTypes, now: now()) }
            }
            var committed: [UInt8] = []
            let events = state.log[Int(first.value - 1)...]
            for event in events { EventCodec.encode(event, into: &committed) }
            return GroupOutcome(results: results, committed: committed, committedCount: events.count, first: first)
        }
    }

    // MARK: EventReader

    package func head() async throws(StoreError) -> Position { head }

    package func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        state.withLock { $0.session(of: producer) }
    }

    package func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError)
        -> ReadPage
    {
        state.withLock { state in
            var page = ReadPage(events: [], scannedThrough: position, head: state.head)
            for event in state.log.dropFirst(Int(clamping: position.value)) {
                if page.events.count >= min(limit, EventLimits.readEvents) { break }
                if types?.contains(event.type) ?? true { page.events.append(event) }
                page.scannedThrough = event.position
            }
            return page
        }
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError)
        -> [RecordedEvent]
    {
        state.withLock { state in
            (state.streams[stream] ?? []).dropFirst(Int(clamping: version.value))
                .prefix(min(limit, EventLimits.readEvents)).map { state.log[$0] }
        }
    }

    package func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        state.withLock { state in
            state.streams.keys.lazy.map(\.text).filter { $0.hasPrefix(prefix) }
                .filter { text in name.map { $0.utf8.lexicographicallyPrecedes(text.utf8) } ?? true }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
                .prefix(min(limit, EventLimits.readEvents))
                .map { text in
                    let stream = StreamName(text)
                    return StreamSummary(
                        stream: stream, version: StreamVersion(UInt64(state.streams[stream]?.count ?? 0)))
                }
        }
    }
}

extension InMemoryGroupStore.State {
    fileprivate var head: Position { Position(UInt64(log.count)) }

    fileprivate func session(of producer: ProducerName) -> ProducerSession? {
        producers[producer].map {
            ProducerSession(producer: producer, epoch: $0.epoch, lastSequence: $0.last?.sequence ?? 0)
        }
    }

    fileprivate mutating func append(
        _ request: AppendRequest, knownTypes: Set<EventType>?, now: Timestamp
    ) throws(StoreError) -> AppendReceipt {
        let known = producers[request.producer] ?? InMemoryGroupStore.Producer()
        do throws(AppendRefusal) {
            try AppendRules.validate(request, knownTypes: knownTypes)
            let admission = try AppendRules.admit(request, epoch: known.epoch, last: known.last?.sequence ?? 0) {
                known.last == request
            }
            if admission == .repeatAnswer, let receipt = known.receipt {
                return AppendReceipt(first: receipt.first, count: receipt.count, repeated: true)
            }
        } catch {
            throw .refused(error)
        }
        let versions = streams
        _ = try AppendRules.checkVersions(request) { stream throws(StoreError) in
            StreamVersion(UInt64(versions[stream]?.count ?? 0))
        }
        return write(request, now: now)
    }

    private mutating func write(_ request: AppendRequest, now: Timestamp) -> AppendReceipt {
        let first = request.eventCount == 0 ? head : head.next
        for append in request.streams {
            for event in append.events {
                streams[append.stream, default: []].append(log.count)
                log.append(
                    RecordedEvent(
                        position: head.next, stream: append.stream,
                        version: StreamVersion(UInt64(streams[append.stream]!.count)), recorded: now,
                        producer: request.producer, producerSequence: request.sequence, event: event))
            }
        }
        let receipt = AppendReceipt(first: first, count: request.eventCount, repeated: false)
        producers[request.producer]?.last = request
        producers[request.producer]?.receipt = receipt
        return receipt
    }
}
