import ArgumentParser
import EventLog
import FinOps
import Runtime
import Storage

/// Which events a command is about.
struct EventSelection: ParsableArguments {
    @Option(help: "Only events after this position.") var after: UInt64?
    @Option(help: "Only events before this position.") var before: UInt64?
    @Option(help: "Only events recorded at or after this time (RFC 3339) or UTC day.") var since: String?
    @Option(help: "Only events recorded before this time (RFC 3339) or UTC day.") var until: String?
    @Option(help: "Only events of this type; may be repeated.") var type: [String] = []
    @Option(help: "Only events of this stream.") var stream: String?
    @Option(help: "Only events with this correlation id.") var correlation: String?

    /// - Throws: `CommandFailure` with `usage` for a time or an id that is none.
    func filter() throws -> EventFilter {
        EventFilter(
            before: before.map(Position.init), since: try time(since), until: try time(until),
            types: type.isEmpty ? nil : Set(type.map { EventType($0) }), stream: stream.map { StreamName($0) },
            correlation: try correlation.map {
                guard let id = EventID($0) else { throw CommandFailure(.usage, "\($0) is not an id (UUID)") }
                return id
            })
    }

    private func time(_ text: String?) throws -> Timestamp? {
        guard let text else { return nil }
        if let instant = Timestamp(rfc3339: text) ?? Day(text)?.utcStart { return instant }
        throw CommandFailure(
            .usage, "\(text) is neither a time such as 2026-11-20T09:00:00Z nor a day such as 2026-11-20")
    }
}

/// A selection that has been read.
struct EventFilter {
    var before: Position?
    var since: Timestamp?
    var until: Timestamp?
    var types: Set<EventType>?
    var stream: StreamName?
    var correlation: EventID?

    func admits(_ event: RecordedEvent) -> Bool {
        (types?.contains(event.type) ?? true) && (stream.map { $0 == event.stream } ?? true)
            && (correlation.map { $0 == event.event.correlation } ?? true)
            && (since.map { event.recorded >= $0 } ?? true)
    }

    /// Whether this event and all after it lie beyond the selection: recorded time never goes back.
    func ends(at event: RecordedEvent) -> Bool {
        (before.map { event.position >= $0 } ?? false) || (until.map { event.recorded >= $0 } ?? false)
    }
}

extension SQLiteLogScanner {
    /// Hands on what a filter admits, in order, until the log or the selection ends or `body` has had enough.
    func visit(_ filter: EventFilter, after position: Position, _ body: (RecordedEvent) throws -> Bool) throws {
        guard let stream = filter.stream else {
            _ = try scan(filter, after: position, body)
            return
        }
        var version = StreamVersion.none
        while true {
            let events = try read(stream: stream, after: version, limit: 1_000)
            for event in events where event.position > position {
                if filter.ends(at: event) { return }
                if filter.admits(event), try !body(event) { return }
            }
            guard let end = events.last else { return }
            version = end.version
        }
    }

    /// As `visit`, but by position whatever the filter: for who goes on from where it was.
    /// - Returns: where to go on; nil when the selection has ended or `body` has had enough.
    func scan(_ filter: EventFilter, after position: Position, _ body: (RecordedEvent) throws -> Bool) throws
        -> Position?
    {
        var position = position
        while true {
            let page = try read(after: position, limit: 1_000, types: filter.types)
            for event in page.events {
                if filter.ends(at: event) { return nil }
                if filter.admits(event), try !body(event) { return nil }
            }
            if page.scannedThrough == position { return position }
            position = page.scannedThrough
        }
    }
}
