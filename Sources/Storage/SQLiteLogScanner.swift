package import EventLog

/// Reads the log's file directly, on a read-only connection: beside the writer, or without one. Synchronous and for one
/// thread at a time; `SQLiteEventReader` is the asynchronous form.
package final class SQLiteLogScanner {
    /// Rows looked at in one call, so that a filter that lets little through still answers soon.
    package static let scannedRows = 100_000

    let connection: Connection
    let rows: EventRows
    private let scan: Statement
    private let scanStream: Statement
    private let findStream: Statement
    private let listStreams: Statement
    private let findName: Statement
    private let findProducer: Statement

    /// - Throws: `log-missing` if there is no log yet, `log-newer`, `log-foreign`, `sqlite-…`.
    package convenience init(files: LogFiles) throws(StoreError) {
        try self.init(try Self.connect(files.database))
    }

    /// Reads nothing: for who asks about a log before its first event.
    package static func empty() throws(StoreError) -> SQLiteLogScanner {
        let connection = try storing { () throws(SQLiteFailure) in try Connection(path: ":memory:", access: .create) }
        try LogSchema.make(connection)
        return try SQLiteLogScanner(connection)
    }

    private init(_ connection: Connection) throws(StoreError) {
        self.connection = connection
        do throws(SQLiteFailure) {
            rows = try EventRows(connection)
            scan = try connection.prepare(
                "SELECT \(EventRows.columns) FROM events WHERE position > ? ORDER BY position")
            scanStream = try connection.prepare(
                "SELECT \(EventRows.columns) FROM events WHERE stream = ? AND version > ? ORDER BY version")
            findStream = try connection.prepare("SELECT id FROM streams WHERE name = ?")
            listStreams = try connection.prepare(
                """
                SELECT name, (SELECT max(version) FROM events WHERE stream = streams.id) FROM streams
                WHERE name >= ? AND name > ? ORDER BY name LIMIT ?
                """)
            findName = try connection.prepare("SELECT id FROM names WHERE name = ?")
            findProducer = try connection.prepare(
                "SELECT epoch, sequence, digest, first, count FROM producers WHERE name = ?")
        } catch {
            throw .failed(error.storeFailure)
        }
    }

    /// A read-only connection to a log of a layout this program knows.
    static func connect(_ path: String) throws(StoreError) -> Connection {
        let missing = StoreFailure(code: "log-missing", message: "there is no log at \(path) yet", isRetriable: true)
        guard LogFiles(database: path).exist else { throw .failed(missing) }
        let (connection, isEmpty) = try storing { () throws(SQLiteFailure) in
            let connection = try Connection(path: path, access: .readOnly)
            try connection.execute("PRAGMA cache_size = -8192", doing: "set up a reader")
            return (connection, try connection.integer("SELECT count(*) FROM sqlite_schema") == 0)
        }
        // Its first writer is just making it.
        if isEmpty { throw .failed(missing) }
        try LogSchema.check(connection)
        return connection
    }

    package func head() throws(StoreError) -> Position {
        try storing { () throws(SQLiteFailure) in try rows.head().position }
    }

    /// What the log's witness says against it, as a sentence: that its end is gone, or not what was acknowledged; nil if
    /// nothing. The writer may go on meanwhile.
    /// - Parameter files: those this scanner reads.
    package func complaint(of files: LogFiles) throws(StoreError) -> String? {
        // Before the rows: the witness must not have seen more than they.
        let witness = Witness.read(path: files.witness)
        let head = try storing { () throws(SQLiteFailure) in try rows.head() }
        return try LogOpening.complaint(of: witness, head: head, connection)
    }

    /// - Parameter types: only these are returned; nil for all.
    package func read(after position: Position, limit: Int, types: Set<EventType>? = nil) throws(StoreError) -> ReadPage
    {
        try storing { () throws(SQLiteFailure) in
            var page = ReadPage(events: [], scannedThrough: position, head: try rows.head().position)
            let limit = min(limit, EventLimits.readEvents)
            guard limit > 0, position < page.head else { return page }
            page.events.reserveCapacity(limit)
            scan.bind(1, position.value)
            defer { scan.reset() }
            var bytes = 0
            var scanned = 0
            var last = (type: Int64(0), isWanted: true)
            while page.events.count < limit, bytes < EventLimits.readBytes, scanned < Self.scannedRows, try scan.step()
            {
                scanned += 1
                // Neighbours are mostly of one type, which is looked up once.
                if let types, scan.integer(3) != last.type {
                    last = (scan.integer(3), types.contains(EventType(try rows.types.name(scan.integer(3)))))
                }
                if !last.isWanted {
                    page.scannedThrough = Position(UInt64(bitPattern: scan.integer(0)))
                    continue
                }
                let event = try rows.decode(scan)
                bytes += event.payload.count
                page.scannedThrough = event.position
                page.events.append(event)
            }
            // Commits may have come in between the two statements.
            page.head = max(page.head, page.scannedThrough)
            return page
        }
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) throws(StoreError)
        -> [RecordedEvent]
    {
        try storing { () throws(SQLiteFailure) in
            findStream.bind(1, stream.text)
            defer { findStream.reset() }
            guard try findStream.step() else { return [] }
            scanStream.bind(1, findStream.integer(0))
            scanStream.bind(2, version.value)
            defer { scanStream.reset() }
            var events: [RecordedEvent] = []
            var bytes = 0
            let limit = min(limit, EventLimits.readEvents)
            while events.count < limit, bytes < EventLimits.readBytes, try scanStream.step() {
                let event = try rows.decode(scanStream)
                bytes += event.payload.count
                events.append(event)
            }
            return events
        }
    }

    package func read(streams: ArraySlice<StreamName>, limit: Int) throws(StoreError) -> [[RecordedEvent]] {
        var answers: [[RecordedEvent]] = []
        var bytes = 0
        for stream in streams where bytes < EventLimits.readBytes {
            let events = try read(stream: stream, after: .none, limit: limit)
            bytes += events.reduce(0) { $0 + $1.payload.count }
            answers.append(events)
        }
        return answers
    }

    package func streams(prefix: String, after name: String?, limit: Int) throws(StoreError) -> [StreamSummary] {
        try storing { () throws(SQLiteFailure) in
            listStreams.bind(1, prefix)
            listStreams.bind(2, name ?? "")
            listStreams.bind(3, Int64(min(limit, EventLimits.readEvents)))
            defer { listStreams.reset() }
            var summaries: [StreamSummary] = []
            while try listStreams.step() {
                let stream = listStreams.text(0)
                guard stream.utf8.starts(with: prefix.utf8) else { break }
                summaries.append(
                    StreamSummary(
                        stream: StreamName(stream), version: StreamVersion(UInt64(bitPattern: listStreams.integer(1)))))
            }
            return summaries
        }
    }

    package func session(of producer: ProducerName) throws(StoreError) -> ProducerSession? {
        try storing { () throws(SQLiteFailure) in
            findName.bind(1, producer.text)
            defer { findName.reset() }
            guard try findName.step(),
                let row = try ProducerRow.read(name: findName.integer(0), with: findProducer)
            else { return nil }
            return ProducerSession(producer: producer, epoch: row.epoch, lastSequence: row.sequence)
        }
    }

    /// Changes whenever the writer has committed: what a follower looks at before it reads.
    package func changeCounter() throws(StoreError) -> Int64 {
        try storing { () throws(SQLiteFailure) in try connection.integer("PRAGMA data_version") }
    }
}
