import EventLog

/// Some streams of a log as one, in the order of their positions. It holds a piece of each stream at a time.
struct MergedStreams: Sendable {
    private struct Source: Sendable {
        let stream: StreamName
        /// Never all handed out.
        var events: [RecordedEvent]
        var at = 0
        /// How many to read next.
        var piece = MergedStreams.firstPiece

        var next: Position { events[at].position }

        /// The end of what lies up to a position, of no more than `limit` events.
        func end(through position: Position, limit: Int) -> Int {
            let most = min(events.count, at + limit)
            if events[most - 1].position <= position { return most }
            return events[at..<most].firstIndex { $0.position > position } ?? most
        }
    }

    private static let firstPiece = 256
    /// Of a stream whose events follow one another in the log.
    private static let greatestPiece = 4_096

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
        while events.count < limit, !sources.isEmpty, sources[0].next <= bound {
            let first = sources[0].at
            let end = sources[0].end(through: beforeOthers, limit: limit - events.count)
            if events.isEmpty, first == 0, end == sources[0].events.count {
                events = sources[0].events
            } else {
                events += sources[0].events[first..<end]
            }
            sources[0].at = end
            if end == sources[0].events.count { try await goOn() }
            if !sources.isEmpty { sink() }
            // A piece is handed on as it is, rather than copied for the sake of a few more.
            if events.count >= limit / 2 { break }
        }
        return events
    }

    /// Up to here the first source's events come before those of all others.
    private var beforeOthers: Position {
        let others = [1, 2].filter { $0 < sources.count }.map { sources[$0].next }
        return others.min().map { min(bound, $0) } ?? bound
    }

    /// Reads the next piece of the first source, or does without it at its end. What is read grows with what is read at one
    /// go, so that little is held of streams that take turns.
    private mutating func goOn() async throws(StoreError) {
        guard let last = sources[0].events.last else { return }
        let piece = sources[0].piece
        sources[0].events = try await reader.read(stream: last.stream, after: last.version, limit: piece)
        sources[0].at = 0
        sources[0].piece = min(piece * 2, Self.greatestPiece)
        if sources[0].events.isEmpty {
            sources.swapAt(0, sources.count - 1)
            sources.removeLast()
        }
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
            sources[place].piece = Self.firstPiece
            sources.swapAt(place, least)
            place = least
        }
    }
}
