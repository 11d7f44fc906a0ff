import CSQLite

/// One connection to a generation's file, on the C API: for one thread at a time, closed when nobody holds it.
final class Connection {
    let handle: OpaquePointer

    private init(_ path: String, flags: Int32) throws(ProjectionFailure) {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard let opened else {
            throw ProjectionFailure(code: "sqlite-\(code)", message: "SQLite has no memory for a connection")
        }
        guard code == SQLITE_OK else {
            let failure = ProjectionFailure(opened, code, doing: "open \(path)")
            sqlite3_close_v2(opened)
            throw failure
        }
        handle = opened
    }

    // Statements may outlive it for a moment: SQLite then closes the file with the last of them.
    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that take no values and return no rows.
    func execute(_ sql: String) throws(ProjectionFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw ProjectionFailure(handle, code, doing: sql) }
    }

    // MARK: How a generation is opened

    /// The build of a new generation: nobody reads it yet, and a crash throws it away.
    static func forBuild(_ path: String) throws(ProjectionFailure) -> Connection {
        let connection = try Connection(path, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
        try connection.execute(
            """
            PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            PRAGMA cache_size = -65536; PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY
            """)
        return connection
    }

    /// The one writer of the generation that is read. What a power cut takes, the log gives back: NORMAL is enough, since
    /// rows and checkpoint are one transaction.
    static func forWriting(_ path: String) throws(ProjectionFailure) -> Connection {
        let connection = try Connection(path, flags: SQLITE_OPEN_READWRITE)
        try connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
        // Without it another user could not open the file once this program has closed it.
        var keep: Int32 = 1
        sqlite3_file_control(connection.handle, nil, SQLITE_FCNTL_PERSIST_WAL, &keep)
        return connection
    }

    /// - Throws: `ProjectionFailure` `projection-missing` where there is no file.
    static func forReading(_ path: String) throws(ProjectionFailure) -> Connection {
        do {
            let connection = try Connection(path, flags: SQLITE_OPEN_READONLY)
            // While a writer that was killed is recovered from, the file is locked for a moment.
            sqlite3_busy_timeout(connection.handle, 5_000)
            return connection
        } catch {
            guard error.code == "sqlite-\(SQLITE_CANTOPEN)" else { throw error }
            throw ProjectionFailure(
                code: "projection-missing", message: "there are no projections at \(path)", isRetriable: true)
        }
    }
}
