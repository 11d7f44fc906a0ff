import EventLog

/// One run's way into the log: a producer that has never appended before, so that nothing of an earlier run can fence it
/// or be mistaken for it. An append whose answer got lost is sent again with its sequence, which the log recognises.
actor FreshProducer {
    /// Pauses before an append is sent again, in seconds.
    private static let pauses: [Double] = [0.5, 2]

    private let store: any EventStore
    private let name: ProducerName
    private let pause: @Sendable (Double) async throws -> Void
    private var session: ProducerSession?
    private var sequence: UInt64 = 0

    init(store: any EventStore, name: ProducerName, pause: @escaping @Sendable (Double) async throws -> Void) {
        self.store = store
        self.name = name
        self.pause = pause
    }

    /// - Throws: `StoreError`: a conflict at once, everything that may pass after the pauses.
    func append(_ streams: [StreamAppend]) async throws(StoreError) {
        let session = try await opened()
        sequence += 1
        let request = AppendRequest(session: session, sequence: sequence, streams)
        _ = try await patiently { store throws(StoreError) in try await store.append(request) }
    }

    private func opened() async throws(StoreError) -> ProducerSession {
        if let session { return session }
        let name = name
        let opened = try await patiently { store throws(StoreError) in try await store.openSession(name) }
        session = opened
        return opened
    }

    private func patiently<Answer: Sendable>(
        _ call: @Sendable (any EventStore) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        for seconds in Self.pauses {
            do throws(StoreError) { return try await call(store) } catch {
                guard error.mayPass else { throw error }
            }
            // A cancelled pause only shortens the wait: the answer to this append still matters.
            do { try await pause(seconds) } catch { break }
        }
        return try await call(store)
    }
}

extension StoreError {
    /// Whether the same call may succeed a moment later.
    fileprivate var mayPass: Bool {
        switch self {
        case .refused(let refusal): refusal.isRetriable
        case .failed(let failure): failure.isRetriable
        }
    }
}
