import EventLog
import Glibc

/// The checks before the first append: the lock, the layout, the hashes of the last rows, the witness.
enum LogOpening {
    /// How many rows at the end are checked at every start; `LogVerifier` checks all.
    static let checkedRows: UInt64 = 1_000

    /// The writer's connection, with the lock held as long as it is open.
    static func connect(_ files: LogFiles, maximumPages: Int?) throws(StoreError) -> Connection {
        try makeDirectory(files.directory)
        let lock: LogLock
        do throws(StoreFailure) { lock = try LogLock(path: files.lock) } catch { throw .failed(error) }
        try makeFile(files.database)
        let connection = try storing { () throws(SQLiteFailure) in
            try Connection(path: files.database, access: .readWrite, held: lock)
        }
        let isNew = try storing { () throws(SQLiteFailure) in
            try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
        }
        // A file that is no log of ours is left as it is.
        if !isNew { try LogSchema.check(connection) }
        try LogSchema.configureWriter(connection, maximumPages: maximumPages)
        if isNew { try LogSchema.make(connection) }
        return connection
    }

    static func makeDirectory(_ path: String) throws(StoreError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make the folder \(path)") }
    }

    /// SQLite gives its side files the rights of the database, which it would make readable for all.
    private static func makeFile(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open \(path)") }
        close(descriptor)
    }

    private static func failure(_ doing: String) -> StoreError {
        .failed(StoreFailure(code: "log-file", message: "could not \(doing): \(errnoText())", isRetriable: false))
    }

    /// Recomputes the hashes of the last rows.
    /// - Returns: where the log ends.
    /// - Throws: `log-damaged` with the first bad position among them.
    static func checkTail(_ connection: Connection) throws(StoreError) -> LogHead {
        let rows = try storing { () throws(SQLiteFailure) in try EventRows(connection) }
        let head = try storing { () throws(SQLiteFailure) in try rows.head() }
        let from = head.position.value > checkedRows ? head.position.value - checkedRows : 0
        let start = try storing { () throws(SQLiteFailure) in try rows.hash(at: Position(from)) }
        var walk = ChainWalk(after: LogHead(position: Position(from), hash: start))
        let fault = try storing { () throws(SQLiteFailure) in try walk.run(over: rows, through: head.position) }
        if let fault {
            throw .failed(
                StoreFailure(
                    code: "log-damaged",
                    message:
                        "the log is damaged at position \(fault.position): \(fault.reason); see `event-log verify`",
                    isRetriable: false))
        }
        return head
    }

    /// - Returns: whether the witness is to be written anew, and what was overruled, for the operator's log.
    /// - Throws: `log-truncated` if the log ends before its witness or has another past than it.
    static func checkWitness(_ files: LogFiles, head: LogHead, accept: Bool, connection: Connection) throws(StoreError)
        -> (rewrite: Bool, overruled: String?)
    {
        guard let complaint = try complaint(of: Witness.read(path: files.witness), head: head, connection) else {
            return (access(files.witness, F_OK) != 0, nil)
        }
        guard accept else {
            throw .failed(
                StoreFailure(
                    code: "log-truncated",
                    message: complaint + "; restore a backup, or go on without what is missing: --accept-truncation",
                    isRetriable: false))
        }
        return (true, complaint)
    }

    /// What the witness says against the log; nil if nothing.
    static func complaint(of witness: LogHead?, head: LogHead, _ connection: Connection) throws(StoreError) -> String? {
        guard let witness else {
            return head.position == .start
                ? nil : "the log's witness is missing or unreadable, so its end cannot be trusted"
        }
        guard witness.position <= head.position else {
            return "the log ends at position \(head.position), but \(witness.position) events were acknowledged"
        }
        let hash = try storing { () throws(SQLiteFailure) in
            try EventRows(connection).hash(at: witness.position)
        }
        guard hash == witness.hash else {
            return "the log's row \(witness.position) is not the one its witness saw"
        }
        return nil
    }
}
