/// Reads of a log, bounded and resumable. Implementations: in memory, SQLite (the file itself, read-only), remote.
package protocol EventReader: Sendable {
    /// The last position; `.start` when the log is empty.
    func head() async throws(StoreError) -> Position

    /// Events after a position in log order, at most `limit` and about `EventLimits.readBytes`.
    /// - Parameter types: only these are returned; nil for all.
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage

    /// Events of one stream after a version, in order, at most `limit`.
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]

    /// The first events of several streams, of each at most `limit`: one answer about many small ones. It covers the first of
    /// them, at least one where any is asked for, and no more than about `EventLimits.readBytes`.
    func read(streams: ArraySlice<StreamName>, limit: Int) async throws(StoreError) -> [[RecordedEvent]]

    /// Streams whose names begin with `prefix`, in the order of their names, after `name`.
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary]

    /// The producer's last session, nil if the log has never heard of it. Opens nothing.
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession?
}

/// The log's one port. The laws of an implementation are the conformance suite `EventStoreConformance`.
package protocol EventStore: EventReader {
    /// Opens a session for a producer: its epoch is one more than the last one's, which is fenced from now on.
    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession

    /// Writes a request wholly or not at all, and answers after the commit is on disk.
    @discardableResult
    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt
}

/// A bounded answer to a read by position.
package struct ReadPage: Hashable, Sendable {
    package var events: [RecordedEvent]
    /// Everything up to here has been looked at; where to go on, also when the filter let nothing through.
    package var scannedThrough: Position
    /// The log's head when it answered.
    package var head: Position

    package init(events: [RecordedEvent], scannedThrough: Position, head: Position) {
        self.events = events
        self.scannedThrough = scannedThrough
        self.head = head
    }
}

/// A stream and how many events it has.
package struct StreamSummary: Hashable, Sendable {
    package var stream: StreamName
    /// Of its last event.
    package var version: StreamVersion

    package init(stream: StreamName, version: StreamVersion) {
        self.stream = stream
        self.version = version
    }
}

/// The bounds of every store, enforced before anything is written.
package enum EventLimits {
    /// 1 MiB for one event: a page over the wire (4 MiB) holds several of the largest.
    package static let payloadBytes = 1 << 20
    /// A request is never split over commits: this bounds how long one keeps everybody else waiting.
    package static let requestEvents = 10_000
    /// 8 MiB of payloads: with ids and names of ordinary length it stays below the wire's frame of 16 MiB.
    package static let requestBytes = 8 << 20
    /// Of a stream, type, producer or actor, in UTF-8. An event's encoded form has all four: 1 KiB at most.
    package static let nameBytes = 255
    /// Events of one page; a greater `limit` is cut to this, since both sides hold a page whole.
    package static let readEvents = 10_000
    /// A page ends with the event that reaches 8 MiB of payloads, so it holds less than 9 MiB of them.
    package static let readBytes = 8 << 20
}

extension EventReader {
    /// A whole stream, page by page.
    package func readAll(stream: StreamName) async throws(StoreError) -> [RecordedEvent] {
        var all: [RecordedEvent] = []
        while true {
            let page = try await read(stream: stream, after: all.last?.version ?? .none, limit: EventLimits.readEvents)
            if page.isEmpty { return all }
            all += page
        }
    }

    /// Covers the first stream alone.
    package func read(streams: ArraySlice<StreamName>, limit: Int) async throws(StoreError) -> [[RecordedEvent]] {
        guard let first = streams.first else { return [] }
        return [try await read(stream: first, after: .none, limit: limit)]
    }

    /// All that some streams have up to the versions that are named, one stream after another.
    package func readAll(streams: [StreamSummary]) async throws(StoreError) -> [RecordedEvent] {
        var all: [RecordedEvent] = []
        let names = streams.map(\.stream)
        var next = 0
        while next < streams.endIndex {
            let end = min(streams.endIndex, next + Self.streamsAtOnce)
            for var events in try await read(streams: names[next..<end], limit: EventLimits.readEvents) {
                while let last = events.last {
                    all += events
                    guard last.version < streams[next].version else { break }
                    events = try await read(stream: last.stream, after: last.version, limit: EventLimits.readEvents)
                }
                next += 1
            }
        }
        return all
    }

    private static var streamsAtOnce: Int { 1_000 }

    /// Every stream of a prefix, page by page.
    package func allStreams(prefix: String) async throws(StoreError) -> [StreamSummary] {
        var all: [StreamSummary] = []
        while true {
            let page = try await streams(prefix: prefix, after: all.last?.stream.text, limit: EventLimits.readEvents)
            if page.isEmpty { return all }
            all += page
        }
    }

    /// The events of all streams whose names begin with one of these, in the order of the log. No prefix may begin with
    /// another one.
    package func readAll(prefixes: [String]) async throws(StoreError) -> [RecordedEvent] {
        var all: [RecordedEvent] = []
        for prefix in prefixes { all += try await readAll(streams: try await allStreams(prefix: prefix)) }
        return all.sorted { $0.position < $1.position }
    }
}
