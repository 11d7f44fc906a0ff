import EventLog
import FinOps
import Runtime

/// The price catalogue as the log has it, and where each provider's stream stands.
struct PriceShelf {
    var catalogue = PriceCatalogue.empty
    var versions: [StreamName: StreamVersion] = [:]

    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func read(from log: some EventReader) async throws -> PriceShelf {
        var shelf = PriceShelf()
        for summary in try await log.allStreams(prefix: "prices-") {
            let recorded = try await log.readAll(stream: summary.stream)
            shelf.catalogue.evolve(try recorded.compactMap { try EventCatalogue.decode($0.event) })
            shelf.versions[summary.stream] = recorded.last?.version
        }
        return shelf
    }

    /// Appends what a file says differently from the log: all of it or nothing.
    /// - Parameter isTaken: whether what concerns this stream is taken, given the catalogue as it is.
    /// - Returns: what was appended.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func take(
        _ file: PriceFile, reason: String, in session: AdministrationSession,
        where isTaken: (StreamName, PriceShelf) -> Bool = { _, _ in true }
    ) async throws -> [FinOpsEvent] {
        try await session.undisturbed {
            let shelf = try await read(from: session.store)
            let events = PriceDiff.events(from: shelf.catalogue, to: file, reason: reason)
            let taken = events.filter { event in stream(of: event).map { isTaken($0, shelf) } ?? false }
            if !taken.isEmpty { try await session.append(shelf.appends(of: taken, in: session)) }
            return taken
        }
    }

    private static func stream(of event: FinOpsEvent) -> StreamName? {
        switch event {
        case .priceChanged(let change): .prices(provider: change.provider)
        case .priceDefaultsChanged(let change): .prices(provider: change.provider)
        default: nil
        }
    }

    private func appends(of events: [FinOpsEvent], in session: AdministrationSession) -> [StreamAppend] {
        Dictionary(grouping: events) { Self.stream(of: $0) }.compactMap { stream, events in
            guard let stream else { return nil }
            return StreamAppend(stream, expected: .exactly(versions[stream] ?? .none), session.named(events))
        }
        .sorted { $0.stream.text < $1.stream.text }
    }
}
