package import EventLog
package import FinOps

/// The price catalogue as the log has it, read again only where it changed. Without any price in the log it is the seed.
package actor CurrentPrices {
    private let log: any EventReader
    private var versions: [StreamSummary] = []
    private var catalogue = PriceCatalogue.seed

    package init(log: any EventReader) { self.log = log }

    /// - Throws: `StoreError`; `UndecodableEvent`.
    package func read() async throws -> PriceCatalogue {
        let streams = try await log.allStreams(prefix: "prices-")
        guard streams != versions else { return catalogue }
        var folded = streams.isEmpty ? PriceCatalogue.seed : .empty
        for summary in streams {
            let recorded = try await log.readAll(stream: summary.stream)
            folded.evolve(try recorded.compactMap { try EventCatalogue.decode($0.event) })
        }
        catalogue = folded
        versions = streams
        return folded
    }
}
