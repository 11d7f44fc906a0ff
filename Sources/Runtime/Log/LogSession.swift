package import EventLog

/// A one-shot command's way to the log: the running `event-log` of a directory, or one started for the occasion.
package enum LogSession {
    /// Runs `body` with the log of a directory. If nobody serves the log, `event-log` runs as a child meanwhile, and what
    /// was appended is attributed and projected before it is stopped, so that a report is fresh without `finops up`.
    /// - Parameters:
    ///   - catchesUp: false for the programs that do the catching up themselves.
    ///   - connector: how the log is reached; tests put another one in.
    /// - Throws: what `body` throws; `CommandFailure` if the log cannot be reached or started.
    package static func withLog<Result: Sendable>(
        _ directory: StateDirectory, catchesUp: Bool = true, programs: ProgramLocator? = nil,
        connector: LogConnector, _ body: (any EventStore) async throws -> Result
    ) async throws -> Result {
        let keeper = try LogKeeper(directory: directory, programs: try programs ?? .beside())
        do {
            try await keeper.ensureListening()
            let connection = try await connector.connect(try directory.endpoints())
            let store = SteadyStore(store: connection.store, keeper: keeper)
            let outcome: Swift.Result<Result, any Error>
            do { outcome = .success(try await body(store)) } catch { outcome = .failure(error) }
            // Also after a failure: what was appended before it is in the log.
            if catchesUp, await keeper.hasStarted {
                try await keeper.ensureListening()
                try await keeper.catchUp("attributor")
                try await keeper.catchUp("projector")
            }
            await connection.close()
            await keeper.stop()
            return try outcome.get()
        } catch {
            await keeper.stop()
            throw error
        }
    }
}

/// A store that outlives its server: when the log vanishes (it was another command's child), a log is found or started
/// again and the same request repeated, which the producer's sequence makes harmless.
struct SteadyStore: EventStore {
    private static let attempts = 5

    let store: any EventStore
    let keeper: LogKeeper

    private func steadily<Result>(_ call: () async throws(StoreError) -> Result) async throws(StoreError) -> Result {
        for _ in 1..<Self.attempts {
            do { return try await call() } catch .failed(let failure) where failure.isRetriable {
                do { try await keeper.ensureListening() } catch {
                    throw .failed(StoreFailure(code: failure.code, message: "\(error)", isRetriable: true))
                }
            }
        }
        return try await call()
    }

    func head() async throws(StoreError) -> Position {
        try await steadily { () async throws(StoreError) in try await store.head() }
    }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await steadily { () async throws(StoreError) in
            try await store.read(after: position, limit: limit, types: types)
        }
    }

    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        try await steadily { () async throws(StoreError) in
            try await store.read(stream: stream, after: version, limit: limit)
        }
    }

    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await steadily { () async throws(StoreError) in
            try await store.streams(prefix: prefix, after: name, limit: limit)
        }
    }

    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await steadily { () async throws(StoreError) in try await store.session(of: producer) }
    }

    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try await steadily { () async throws(StoreError) in try await store.openSession(producer) }
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        try await steadily { () async throws(StoreError) in try await store.append(request) }
    }
}
