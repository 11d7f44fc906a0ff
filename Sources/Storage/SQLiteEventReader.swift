package import EventLog

/// Reads the log's file directly, beside its writer or without one.
package actor SQLiteEventReader: EventReader {
    private let executor = QueueExecutor(label: "log-reader")
    private let files: LogFiles
    private var scanner: SQLiteLogScanner?
    /// The last two answers, while each was as full as it was asked to be. Whoever reads on is done with the older one by the
    /// time of the next question, and it is freed here: freed on another thread while this one makes the next, both would wait
    /// for the allocator's lock at every event.
    private var lent: [[RecordedEvent]] = []

    /// A queue of its own: SQLite blocks, and must not do so on the cooperative pool.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens nothing yet: the first call does, and each one after it until there is a log (`log-missing`).
    package init(files: LogFiles) { self.files = files }

    private func opened() throws(StoreError) -> SQLiteLogScanner {
        if let scanner { return scanner }
        let opened = try SQLiteLogScanner(files: files)
        scanner = opened
        return opened
    }

    package func head() throws(StoreError) -> Position { try opened().head() }

    package func read(after position: Position, limit: Int, types: Set<EventType>?) throws(StoreError) -> ReadPage {
        makeRoom()
        let page = try opened().read(after: position, limit: limit, types: types)
        lend(page.events, limit)
        return page
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) throws(StoreError)
        -> [RecordedEvent]
    {
        makeRoom()
        let events = try opened().read(stream: stream, after: version, limit: limit)
        lend(events, limit)
        return events
    }

    private func makeRoom() {
        if lent.count > 1 { lent.removeFirst() }
    }

    private func lend(_ events: [RecordedEvent], _ limit: Int) {
        if events.count < limit { lent = [] } else { lent.append(events) }
    }

    package func read(streams: ArraySlice<StreamName>, limit: Int) throws(StoreError) -> [[RecordedEvent]] {
        try opened().read(streams: streams, limit: limit)
    }

    package func streams(prefix: String, after name: String?, limit: Int) throws(StoreError) -> [StreamSummary] {
        try opened().streams(prefix: prefix, after: name, limit: limit)
    }

    package func session(of producer: ProducerName) throws(StoreError) -> ProducerSession? {
        try opened().session(of: producer)
    }
}
