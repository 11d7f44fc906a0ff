package import EventLog

/// The log in one process, writer and reader, without a server: for tests and tools.
package actor SQLiteEventStore: EventStore {
    private let executor = QueueExecutor(label: "log-store")
    private let log: SQLiteLog
    private let scanner: SQLiteLogScanner

    /// A queue of its own: SQLite blocks, and must not do so on the cooperative pool.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the log as `SQLiteLog` does, on the caller's thread.
    package init(
        files: LogFiles, knownTypes: Set<EventType>? = nil, acceptTruncation: Bool = false, maximumPages: Int? = nil,
        now: @escaping @Sendable () -> Timestamp
    ) throws(StoreError) {
        log = try SQLiteLog(
            files: files, knownTypes: knownTypes, acceptTruncation: acceptTruncation, maximumPages: maximumPages,
            now: now)
        scanner = try SQLiteLogScanner(files: files)
    }

    package func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        try log.openSession(producer)
    }

    @discardableResult
    package func append(_ request: AppendRequest) throws(StoreError) -> AppendReceipt {
        try log.append(group: [request]).results[0].get()
    }

    /// Several requests in one commit.
    package func append(group: [AppendRequest]) -> GroupOutcome { log.append(group: group) }

    package func head() throws(StoreError) -> Position { try scanner.head() }

    package func read(after position: Position, limit: Int, types: Set<EventType>?) throws(StoreError) -> ReadPage {
        try scanner.read(after: position, limit: limit, types: types)
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) throws(StoreError)
        -> [RecordedEvent]
    {
        try scanner.read(stream: stream, after: version, limit: limit)
    }

    package func streams(prefix: String, after name: String?, limit: Int) throws(StoreError) -> [StreamSummary] {
        try scanner.streams(prefix: prefix, after: name, limit: limit)
    }

    package func session(of producer: ProducerName) throws(StoreError) -> ProducerSession? {
        try scanner.session(of: producer)
    }
}
