import CSQLite

/// One connection to a SQLite file. Without a mutex inside, so for one thread at a time; it is not Sendable.
final class Connection {
    let handle: OpaquePointer
    /// Kept until the file is closed, whatever order its owner's fields are released in: the lock, for the writer.
    private let held: AnyObject?

    enum Access {
        case readOnly
        case readWrite
        /// A file of its own that nobody else knows yet.
        case create

        var flags: Int32 {
            switch self {
            case .readOnly: SQLITE_OPEN_READONLY
            case .readWrite: SQLITE_OPEN_READWRITE
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            }
        }
    }

    /// - Parameter held: released only after the file is closed.
    init(path: String, access: Access, held: AnyObject? = nil) throws(SQLiteFailure) {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, access.flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            defer { sqlite3_close(opened) }
            throw SQLiteFailure(
                code: opened.map(sqlite3_extended_errcode) ?? code, systemError: opened.map(sqlite3_system_errno) ?? 0,
                message: String(cString: sqlite3_errstr(code)), doing: "open \(path)")
        }
        handle = opened
        self.held = held
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, access == .readOnly ? 5_000 : 0)
        // A reader must never checkpoint: SQLite before 3.51.3 can lose pages when one races a commit.
        if access == .readOnly { _ = finops_sqlite3_no_checkpoint_on_close(handle) }
        try execute("PRAGMA recursive_triggers = ON; PRAGMA trusted_schema = OFF", doing: "set up a connection")
    }

    // Statements keep their connection, so none is left when this runs.
    deinit { sqlite3_close_v2(handle) }

    func execute(_ sql: String, doing: String) throws(SQLiteFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(doing) }
    }

    func prepare(_ sql: String) throws(SQLiteFailure) -> Statement { try Statement(sql, on: self) }

    /// The integer of a query with one row and one column, such as a pragma; 0 if it answers null or nothing.
    func integer(_ sql: String) throws(SQLiteFailure) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : 0
    }

    func text(_ sql: String) throws(SQLiteFailure) -> String {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Leaves the write-ahead log in place on closing: without it another user cannot open the database read-only.
    func keepWriteAheadLog() {
        var keep: Int32 = 1
        _ = sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep)
    }

    /// Moves committed pages from the write-ahead log into the database, as far as readers allow.
    /// - Returns: pages in the write-ahead log, and how many of them are in the database now.
    func checkpoint() throws(SQLiteFailure) -> (logged: Int, moved: Int) {
        var logged: Int32 = 0
        var moved: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, &logged, &moved)
        guard code == SQLITE_OK else { throw failure("move the write-ahead log into the database") }
        return (Int(logged), Int(moved))
    }

    /// Moves all of the write-ahead log into the database and empties it, unless a reader holds on to it.
    func emptyWriteAheadLog() throws(SQLiteFailure) {
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else {
            throw failure("empty the write-ahead log")
        }
    }

    /// Tells after each commit how many pages the write-ahead log has; nil to stop.
    func onCommit(_ pages: UnsafeMutablePointer<Int32>?) {
        guard let pages else {
            sqlite3_wal_hook(handle, nil, nil)
            return
        }
        sqlite3_wal_hook(
            handle,
            { context, _, _, count in
                context?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            }, pages)
    }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    func failure(_ doing: String) -> SQLiteFailure {
        SQLiteFailure(
            code: sqlite3_extended_errcode(handle), systemError: sqlite3_system_errno(handle),
            message: String(cString: sqlite3_errmsg(handle)), doing: doing)
    }
}
