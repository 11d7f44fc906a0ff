import CSQLite
import GRDB

/// How a generation is opened.
enum ProjectionDatabase {
    /// The build of a new generation: nobody reads it yet, and a crash throws it away.
    static func openForBuild(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "projections"
        // A transaction spans several batches of a build, and is left open where a batch fails.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                    PRAGMA cache_size = -98304; PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY
                    """)
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// The one writer of the generation that is read. What a power cut takes, the log gives back: NORMAL is enough, since
    /// rows and checkpoint are one transaction.
    static func openForWriting(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "projections"
        // A transaction spans several batches of a build, and is left open where a batch fails.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { database in
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
            // Without it another user could not open the file once this program has closed it.
            var keep: Int32 = 1
            sqlite3_file_control(database.sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &keep)
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// - Throws: `ProjectionFailure` `projection-missing` where there is no file.
    static func openForReading(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        // While a writer that was killed is recovered from, the file is locked for a moment.
        configuration.busyMode = .timeout(5)
        configuration.label = "projections"
        do {
            return try DatabaseQueue(path: path, configuration: configuration)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
            throw ProjectionFailure(
                code: "projection-missing", message: "there are no projections at \(path)", isRetriable: true)
        }
    }
}
