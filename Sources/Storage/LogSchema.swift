import EventLog

/// The tables of the log and the laws they hold by themselves: strict types, one event per stream version, no change and no
/// removal of what was written.
enum LogSchema {
    /// The layout this program writes; a file with a higher number is refused.
    static let version: Int64 = 1
    /// "FinO": tells a log from any other SQLite file.
    static let application: Int64 = 0x4669_6E4F

    static let tables = [
        "CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        "CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        """
        CREATE TABLE producers (name INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, \
        digest BLOB NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, checksum BLOB NOT NULL) STRICT
        """,
        """
        CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, \
        type INTEGER NOT NULL, schema INTEGER NOT NULL, recorded INTEGER NOT NULL, occurred INTEGER NOT NULL, \
        producer INTEGER NOT NULL, producer_sequence INTEGER NOT NULL, id BLOB NOT NULL, causation BLOB, \
        correlation BLOB, actor INTEGER NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL, \
        UNIQUE (stream, version)) STRICT
        """,
    ]

    /// A producer's row moves with its appends; all else stays as it was written.
    static let triggers =
        ["streams", "types", "names", "events"].flatMap {
            [refusal(of: "UPDATE", on: $0), refusal(of: "DELETE", on: $0)]
        }
        + [refusal(of: "DELETE", on: "producers")]

    private static func refusal(of change: String, on table: String) -> String {
        "CREATE TRIGGER \(table)_\(change.lowercased()) BEFORE \(change) ON \(table) "
            + "BEGIN SELECT RAISE(ABORT, '\(table) are append-only'); END"
    }

    /// Sets up the writer's connection: durable first, then quick.
    /// - Throws: if the file does not take these settings.
    static func configureWriter(_ connection: Connection, maximumPages: Int?) throws(StoreError) {
        let (journal, synchronous) = try storing { () throws(SQLiteFailure) in
            try connection.execute(
                """
                PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE; PRAGMA secure_delete = OFF;
                PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 0;
                """, doing: "set up the log")
            let journal = try connection.text("PRAGMA journal_mode = WAL")
            try connection.execute("PRAGMA synchronous = FULL", doing: "set up the log")
            if let maximumPages { _ = try connection.integer("PRAGMA max_page_count = \(maximumPages)") }
            return (journal, try connection.integer("PRAGMA synchronous"))
        }
        guard journal == "wal", synchronous == 2 else {
            throw unfit("the file takes journal_mode \(journal) and synchronous \(synchronous), not WAL and FULL")
        }
        connection.keepWriteAheadLog()
    }

    /// Makes the tables in an empty file.
    static func make(_ connection: Connection) throws(StoreError) {
        try storing { () throws(SQLiteFailure) in
            try connection.execute("BEGIN IMMEDIATE", doing: "make the log's tables")
            for statement in tables + triggers { try connection.execute(statement, doing: "make the log's tables") }
            try connection.execute(
                "PRAGMA application_id = \(application); PRAGMA user_version = \(version); COMMIT",
                doing: "make the log's tables")
        }
    }

    /// - Throws: `log-foreign` for a file that is no log, `log-newer` for one of a later program.
    static func check(_ connection: Connection) throws(StoreError) {
        let (application, version) = try storing { () throws(SQLiteFailure) in
            (try connection.integer("PRAGMA application_id"), try connection.integer("PRAGMA user_version"))
        }
        guard application == self.application else {
            throw .failed(
                StoreFailure(code: "log-foreign", message: "the file is not an event log", isRetriable: false))
        }
        guard version <= self.version else {
            throw .failed(
                StoreFailure(
                    code: "log-newer",
                    message: "the log has layout \(version); this program knows \(self.version): use a newer one",
                    isRetriable: false))
        }
        guard version == self.version else { throw unfit("the log has an unknown layout \(version)") }
    }

    private static func unfit(_ reason: String) -> StoreError {
        .failed(StoreFailure(code: "log-unfit", message: reason, isRetriable: false))
    }
}

/// Runs a piece of SQLite work for a caller of the port.
func storing<Value>(_ work: () throws(SQLiteFailure) -> Value) throws(StoreError) -> Value {
    do { return try work() } catch { throw .failed(error.storeFailure) }
}
