package import EventLog
package import FinOps

/// Says in the log which days' costs are not explained, and which are again. Each change is appended once: with the exact
/// version of the conditions that it was decided on.
package struct UnexplainedConditions: Sendable {
    private static let producer: ProducerName = "reconcile-watch"

    private let store: any EventStore
    private let limit: Int64

    /// - Parameter percentNanos: more than this share is told, in 10⁻⁹ per cent.
    package init(store: any EventStore, above percentNanos: Int64) {
        self.store = store
        limit = percentNanos
    }

    /// - Parameters:
    ///   - findings: of every provider and day that is looked at.
    ///   - now: the pipeline's clock.
    /// - Returns: how many conditions began or ended.
    /// - Throws: `StoreError`; a conflict where somebody else was faster, who then said it.
    @discardableResult
    package func tell(_ findings: [UnexplainedWatch.Finding], at now: Timestamp) async throws -> Int {
        let stream = StreamName.conditions(UnexplainedWatch.condition)
        var watch = UnexplainedWatch(above: limit)
        let history = try await store.readAll(stream: stream)
        for event in history {
            if let decoded = try EventCatalogue.decode(event.event) { watch.evolve(decoded) }
        }
        let changes = watch.decide(findings)
        guard !changes.isEmpty else { return 0 }
        let session = try await store.openSession(Self.producer)
        let events = changes.map { $0.newEvent(in: stream, occurred: now) }
        let expected = ExpectedVersion.exactly(history.last?.version ?? .none)
        _ = try await store.append(
            AppendRequest(
                session: session, sequence: session.lastSequence + 1,
                [StreamAppend(stream, expected: expected, events)]))
        return changes.count
    }
}
