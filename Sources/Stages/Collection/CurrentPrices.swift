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
        let streams = try await PriceCatalogue.streams(in: log)
        guard streams != versions else { return catalogue }
        let read = try await PriceCatalogue.read(streams, from: log)
        (catalogue, versions) = (read, streams)
        return read
    }
}
