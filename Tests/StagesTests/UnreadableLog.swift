import EventLog
import Synchronization

/// A log of which some events cannot be decoded, until they can: as before and after a program is mended.
final class UnreadableLog: EventReader {
    private let log: InMemoryEventStore
    private let garbled = Mutex<Set<Position>>([])

    init(of log: InMemoryEventStore) { self.log = log }

    func garble(_ position: Position) { garbled.withLock { _ = $0.insert(position) } }
    func mend() { garbled.withLock { $0 = [] } }

    func head() async throws(StoreError) -> Position { try await log.head() }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        var page = try await log.read(after: position, limit: limit, types: types)
        page.events = page.events.map(seen)
        return page
    }

    func read(
        stream: StreamName, after version: StreamVersion, limit: Int
    ) async throws(StoreError) -> [RecordedEvent] {
        try await log.read(stream: stream, after: version, limit: limit).map(seen)
    }

    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await log.streams(prefix: prefix, after: name, limit: limit)
    }

    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await log.session(of: producer)
    }

    private func seen(_ event: RecordedEvent) -> RecordedEvent {
        guard garbled.withLock({ $0.contains(event.position) }) else { return event }
        var event = event
        event.event.payload = [0xFF]
        return event
    }
}
