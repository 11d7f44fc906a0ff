/// The deterministic store: for tests and simulations. It keeps the same laws as the one on disk.
package actor InMemoryEventStore: EventStore {
    private struct Producer {
        var epoch: UInt64
        var last: AppendRequest?
        var receipt: AppendReceipt?
    }

    private let knownTypes: Set<EventType>?
    private let now: @Sendable () -> Timestamp
    private var log: [RecordedEvent] = []
    private var streamIndex: [StreamName: [Int]] = [:]
    private var producers: [ProducerName: Producer] = [:]

    /// - Parameters:
    ///   - knownTypes: types it accepts; nil for all.
    ///   - now: the clock that stamps what it records.
    package init(knownTypes: Set<EventType>? = nil, now: @escaping @Sendable () -> Timestamp) {
        self.knownTypes = knownTypes
        self.now = now
    }

    package func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        do throws(AppendRefusal) { try AppendRules.validate(producer: producer) } catch { throw .refused(error) }
        producers[producer, default: Producer(epoch: 0)].epoch += 1
        return sessionState(of: producer)!
    }

    package func session(of producer: ProducerName) throws(StoreError) -> ProducerSession? {
        sessionState(of: producer)
    }

    private func sessionState(of producer: ProducerName) -> ProducerSession? {
        producers[producer].map {
            ProducerSession(producer: producer, epoch: $0.epoch, lastSequence: $0.last?.sequence ?? 0)
        }
    }

    @discardableResult
    package func append(_ request: AppendRequest) throws(StoreError) -> AppendReceipt {
        let known = producers[request.producer] ?? Producer(epoch: 0)
        do throws(AppendRefusal) {
            try AppendRules.validate(request, knownTypes: knownTypes)
            let admission = try AppendRules.admit(request, epoch: known.epoch, last: known.last?.sequence ?? 0) {
                known.last?.streams == request.streams
            }
            if admission == .repeatAnswer, let receipt = known.receipt {
                return AppendReceipt(first: receipt.first, count: receipt.count, repeated: true)
            }
        } catch {
            throw .refused(error)
        }
        _ = try AppendRules.checkVersions(request) { stream throws(StoreError) in
            StreamVersion(UInt64(streamIndex[stream]?.count ?? 0))
        }
        return write(request)
    }

    private func write(_ request: AppendRequest) -> AppendReceipt {
        let recorded = now()
        let first = request.eventCount == 0 ? Position(UInt64(log.count)) : Position(UInt64(log.count) + 1)
        for append in request.streams {
            for event in append.events {
                streamIndex[append.stream, default: []].append(log.count)
                log.append(
                    RecordedEvent(
                        position: Position(UInt64(log.count) + 1), stream: append.stream,
                        version: StreamVersion(UInt64(streamIndex[append.stream]!.count)), recorded: recorded,
                        producer: request.producer, producerSequence: request.sequence, event: event))
            }
        }
        let receipt = AppendReceipt(first: first, count: request.eventCount, repeated: false)
        producers[request.producer]?.last = request
        producers[request.producer]?.receipt = receipt
        return receipt
    }

    package func head() throws(StoreError) -> Position { Position(UInt64(log.count)) }

    package func read(after position: Position, limit: Int, types: Set<EventType>?) throws(StoreError) -> ReadPage {
        var page = ReadPage(events: [], scannedThrough: position, head: Position(UInt64(log.count)))
        for event in log.dropFirst(Int(clamping: position.value)) {
            if page.events.count >= min(limit, EventLimits.readEvents) { break }
            if types?.contains(event.type) ?? true { page.events.append(event) }
            page.scannedThrough = event.position
        }
        return page
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) throws(StoreError)
        -> [RecordedEvent]
    {
        (streamIndex[stream] ?? []).dropFirst(Int(clamping: version.value)).prefix(min(limit, EventLimits.readEvents))
            .map {
                log[$0]
            }
    }

    package func streams(prefix: String, after name: String?, limit: Int) throws(StoreError) -> [StreamSummary] {
        streamIndex.filter { $0.key.text.hasPrefix(prefix) && $0.key.text.utf8Precedes(name) == false }
            .map { StreamSummary(stream: $0.key, version: StreamVersion(UInt64($0.value.count))) }
            .sorted { $0.stream.text.utf8.lexicographicallyPrecedes($1.stream.text.utf8) }
            .prefix(min(limit, EventLimits.readEvents)).map(\.self)
    }
}

extension String {
    /// Whether it stands at or before `other` in byte order; false when there is no other.
    fileprivate func utf8Precedes(_ other: String?) -> Bool {
        guard let other else { return false }
        return self == other || utf8.lexicographicallyPrecedes(other.utf8)
    }
}
