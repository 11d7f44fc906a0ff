package import EventLog

extension PriceCatalogue {
    /// The catalogue as a log has it; without any price in the log it is the seed.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package static func read(from log: some EventReader) async throws -> PriceCatalogue {
        let streams = try await log.allStreams(prefix: "prices-")
        var catalogue = streams.isEmpty ? PriceCatalogue.seed : .empty
        for summary in streams {
            let recorded = try await log.readAll(stream: summary.stream)
            catalogue.evolve(try recorded.compactMap { try EventCatalogue.decode($0.event) })
        }
        return catalogue
    }
}
