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

    /// Changes of prices, each for its provider's stream as it was read.
    func appends(of events: [FinOpsEvent], in session: AdministrationSession) -> [StreamAppend] {
        Dictionary(grouping: events) { $0.priceSubject?.provider }.compactMap { provider, events in
            guard let provider else { return nil }
            let stream = StreamName.prices(provider: provider)
            return StreamAppend(stream, expected: .exactly(versions[stream] ?? .none), session.named(events))
        }
        .sorted { $0.stream.text < $1.stream.text }
    }
}
