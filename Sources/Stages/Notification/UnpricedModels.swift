package import EventLog
package import FinOps

/// Says in the log which models calls through gateways used without a price, each once: where nobody has said so yet, be it
/// this or the collector, to whose streams it appends.
package struct UnpricedModels: Sendable {
    private static let producer: ProducerName = "unpriced-watch"

    private let store: any EventStore

    package init(store: any EventStore) { self.store = store }

    /// - Parameters:
    ///   - models: what was found, whether it was told before or not.
    ///   - now: the pipeline's clock.
    /// - Returns: those that were told now.
    /// - Throws: `StoreError`.
    @discardableResult
    package func tell(_ models: [WireModelUnpriced], at now: Timestamp) async throws -> [WireModelUnpriced] {
        var told: [WireModelUnpriced] = []
        for model in models {
            let stream = StreamName.unpriced(provider: model.provider, model: model.model)
            guard try await store.readAll(stream: stream).isEmpty else { continue }
            let event = FinOpsEvent.modelUnpriced(model).newEvent(in: stream, occurred: now)
            let session = try await store.openSession(Self.producer)
            do throws(StoreError) {
                _ = try await store.append(
                    AppendRequest(
                        session: session, sequence: session.lastSequence + 1,
                        [StreamAppend(stream, expected: .exactly(.none), [event])]))
            } catch {
                // The collector was faster, and said it.
                guard error.isConflict else { throw error }
                continue
            }
            told.append(model)
        }
        return told
    }
}
