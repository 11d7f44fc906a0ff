package import EventLog

extension EventReader {
    /// A stream's state by a decider, and the version it was read at.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package func fold<D: Decider>(
        _ stream: StreamName, with decider: D.Type
    ) async throws -> (state: D.State, version: StreamVersion) where D.Event == FinOpsEvent {
        var state = D.initialState
        let version = try await forEach(in: stream) { event, _ in D.evolve(&state, event) }
        return (state, version)
    }

    /// The same for a decider to whom it matters who did what.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package func fold<D: Decider>(
        _ stream: StreamName, with decider: D.Type
    ) async throws -> (state: D.State, version: StreamVersion) where D.Event == ActedEvent {
        var state = D.initialState
        let version = try await forEach(in: stream) { event, recorded in
            D.evolve(&state, ActedEvent(event, by: recorded.event.actor, at: recorded.event.occurred))
        }
        return (state, version)
    }

    /// A stream's events in their order, page by page; what this program does not know is left out.
    /// - Parameter last: events after this version are not read.
    /// - Returns: the version of the last one that was looked at.
    /// - Throws: `StoreError`; `UndecodableEvent`; what `body` throws.
    @discardableResult
    package func forEach(
        in stream: StreamName, through last: StreamVersion? = nil,
        _ body: (FinOpsEvent, RecordedEvent) async throws -> Void
    ) async throws -> StreamVersion {
        var version = StreamVersion.none
        while true {
            let page = try await read(stream: stream, after: version, limit: EventLimits.readEvents)
            for recorded in page {
                if let last, recorded.version > last { return version }
                version = recorded.version
                if let event = try EventCatalogue.decode(recorded.event) { try await body(event, recorded) }
            }
            if page.isEmpty { return version }
        }
    }
}
