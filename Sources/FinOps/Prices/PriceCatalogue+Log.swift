package import EventLog

extension PriceCatalogue {
    /// The catalogue as a log has it; without any price in the log it is the seed.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package static func read(from log: some EventReader) async throws -> PriceCatalogue {
        try await read(try await streams(in: log), from: log)
    }

    /// The streams of all prices, with their versions: as long as these stay, so does the catalogue.
    /// - Throws: `StoreError`.
    package static func streams(in log: some EventReader) async throws(StoreError) -> [StreamSummary] {
        try await log.allStreams(prefix: "prices-")
    }

    /// - Parameter streams: all there are.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package static func read(
        _ streams: [StreamSummary], from log: some EventReader
    ) async throws -> PriceCatalogue {
        var catalogue = streams.isEmpty ? PriceCatalogue.seed : .empty
        for summary in streams {
            let recorded = try await log.readAll(stream: summary.stream)
            // At once: the index over names is made once per provider.
            catalogue.evolve(try recorded.compactMap { try EventCatalogue.decode($0.event) })
        }
        return catalogue
    }
}
