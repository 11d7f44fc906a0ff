import CSQLite
package import EventLog
import Glibc

/// Copies a log as of one moment, beside its running writer, and puts a copy back.
package enum LogBackup {
    private static let pagesPerStep: Int32 = 4_096

    /// Makes a copy in one file, complete in itself and on disk when this returns.
    /// - Parameter path: where to; nothing may be there.
    /// - Returns: the head of the copy.
    /// - Throws: `backup-exists`, `log-missing`, `sqlite-…`.
    @discardableResult
    package static func backup(
        _ files: LogFiles, to path: String, progress: (_ done: Int, _ pages: Int) -> Void = { _, _ in }
    ) throws(StoreError) -> LogHead {
        guard access(path, F_OK) != 0 else {
            throw failure("backup-exists", "\(path) exists already; a backup never replaces anything")
        }
        let source = try SQLiteLogScanner.connect(files.database)
        let partial = path + ".partial"
        unlink(partial)
        let head = try storing { () throws(SQLiteFailure) in try copy(source, to: partial, progress) }
        try install(partial, as: path)
        return head
    }

    /// Puts a copy in the place of a log that is missing or empty, with a witness of its own. It is checked wholly first.
    /// - Parameter replace: set a log that has events aside (its files get a name that ends in `.replaced`).
    /// - Returns: what the check of the copy found; with a problem nothing was changed.
    /// - Throws: `log-locked` while a writer runs, `log-not-empty`, `sqlite-…`.
    package static func restore(
        _ path: String, into files: LogFiles, replace: Bool = false,
        progress: (LogVerifier.Progress) -> Void = { _ in }
    ) throws(StoreError) -> LogVerification {
        try LogOpening.makeDirectory(files.directory)
        let lock: LogLock
        do throws(StoreFailure) { lock = try LogLock(path: files.lock) } catch { throw .failed(error) }
        defer { withExtendedLifetime(lock) {} }
        if !replace, try hasEvents(files) {
            throw failure("log-not-empty", "\(files.database) has events; --replace sets them aside")
        }
        let source = try SQLiteLogScanner.connect(path)
        let partial = LogFiles(database: files.database + ".restoring")
        unlink(partial.database)
        _ = try storing { () throws(SQLiteFailure) in try copy(source, to: partial.database) { _, _ in } }
        let found = try LogVerifier.verifyCopy(at: partial.database, progress: progress)
        guard found.problem == nil else {
            unlink(partial.database)
            return found
        }
        // The write-ahead log of the old file would be read as part of the new one.
        setAside(files.database)
        do throws(StoreFailure) { _ = try Witness(path: files.witness, initial: found.head) } catch {
            throw .failed(error)
        }
        try install(partial.database, as: files.database)
        return found
    }

    /// Under a name that is free: nothing that was ever a log is overwritten.
    private static func setAside(_ path: String) {
        var aside = path + ".replaced"
        var number = 1
        while access(aside, F_OK) == 0 {
            number += 1
            aside = path + ".replaced-\(number)"
        }
        for ending in ["", "-wal", "-shm"] { rename(path + ending, aside + ending) }
    }

    private static func hasEvents(_ files: LogFiles) throws(StoreError) -> Bool {
        guard access(files.database, F_OK) == 0 else { return false }
        var status = stat()
        if stat(files.database, &status) == 0, status.st_size == 0 { return false }
        return try SQLiteLogScanner(files: files).head() > .start
    }

    private static func copy(_ source: Connection, to path: String, _ progress: (Int, Int) -> Void)
        throws(SQLiteFailure) -> LogHead
    {
        let target = try Connection(path: path, access: .create)
        // One read transaction: whatever is appended meanwhile is not in the copy, and does not make it begin anew.
        try source.execute("BEGIN", doing: "read the log")
        let head = try EventRows(source).head()
        guard let backup = sqlite3_backup_init(target.handle, "main", source.handle, "main") else {
            throw target.failure("begin the copy")
        }
        var code = SQLITE_OK
        while code == SQLITE_OK {
            code = sqlite3_backup_step(backup, pagesPerStep)
            let pages = Int(sqlite3_backup_pagecount(backup))
            progress(pages - Int(sqlite3_backup_remaining(backup)), pages)
        }
        sqlite3_backup_finish(backup)
        guard code == SQLITE_DONE else { throw target.failure("copy the log") }
        try source.execute("ROLLBACK", doing: "end reading the log")
        // A copy in one file: no write-ahead log beside it.
        guard try target.text("PRAGMA journal_mode = DELETE") == "delete" else {
            throw target.failure("finish the copy")
        }
        return head
    }

    /// Gives a finished file its name, so that both survive a power cut.
    private static func install(_ partial: String, as path: String) throws(StoreError) {
        for step in [
            { chmod(partial, 0o600) == 0 }, { sync(partial) }, { rename(partial, path) == 0 },
            { sync(LogFiles(database: path).directory) },
        ] {
            guard step() else { throw failure("backup", "could not put \(path) in place: \(errnoText())") }
        }
    }

    private static func sync(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }

    private static func failure(_ code: String, _ message: String) -> StoreError {
        .failed(StoreFailure(code: code, message: message, isRetriable: false))
    }
}
