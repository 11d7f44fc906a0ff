import EventLog

/// Some streams of a log as one, in the order of their positions. It holds a piece of each stream at a time.
struct MergedStreams: Sendable {
    private struct Source: Sendable {
        let stream: StreamName
        /// Never all handed out.
        var events: [RecordedEvent]
        var at = 0

        var next: Position { events[at].position }
    }

    private static let pieceEvents = 256

    private let reader: any EventReader
    private let bound: Position
    /// A heap: each source's next position lies before those of the two that follow from its place.
    private var sources: [Source] = []

    /// - Parameter bound: nothing beyond it is handed out.
    /// - Throws: `StoreError`.
    init(_ streams: [StreamName], through bound: Position, reader: any EventReader) async throws(StoreError) {
        self.reader = reader
        self.bound = bound
        for stream in streams {
            // One event says where a stream begins; more is read when its turn comes.
            let events = try await reader.read(stream: stream, after: .none, limit: 1)
            if !events.isEmpty { sources.append(Source(stream: stream, events: events)) }
        }
        sources.sort { $0.next < $1.next }
    }

    /// - Returns: the next events, at most `limit`; none at the end.
    /// - Throws: `StoreError`.
    mutating func next(_ limit: Int) async throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        events.reserveCapacity(limit)
        while events.count < limit, !sources.isEmpty, sources[0].next <= bound {
            let event = sources[0].events[sources[0].at]
            events.append(event)
            sources[0].at += 1
            if sources[0].at == sources[0].events.count {
                sources[0].events = try await reader.read(
                    stream: event.stream, after: event.version, limit: Self.pieceEvents)
                sources[0].at = 0
                if sources[0].events.isEmpty {
                    sources.swapAt(0, sources.count - 1)
                    sources.removeLast()
                    sink()
                    continue
                }
            }
            // Positions have no gaps: what follows directly comes first everywhere.
            if sources[0].next != event.position.next { sink() }
        }
        return events
    }

    /// Puts the first source where it belongs.
    private mutating func sink() {
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < sources.count {
                if sources[child].next < sources[least].next { least = child }
            }
            guard least != place else { return }
            sources.swapAt(place, least)
            place = least
        }
    }
}
