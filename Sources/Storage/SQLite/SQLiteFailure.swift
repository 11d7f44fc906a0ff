import CSQLite
import EventLog

#if canImport(Glibc)
    import Glibc
#endif

/// SQLite's refusal, with the codes that decide what may be done next.
struct SQLiteFailure: Error {
    /// SQLite's extended result code.
    let code: Int32
    /// The errno behind it, 0 if none.
    let systemError: Int32
    let message: String
    /// What was being done: completes the sentence "could not …".
    let doing: String

    private var primary: Int32 { code & 0xFF }

    /// No room on the disk, now: nothing is damaged, and a later attempt may find room. The shared-memory file and a
    /// quota report it in their own ways.
    var isDiskFull: Bool {
        if primary == SQLITE_FULL || code == Self.sharedMemorySize { return true }
        return code == Self.write && (systemError == ENOSPC || systemError == EDQUOT)
    }

    // The extended codes are macros with arithmetic, which Swift does not import.
    private static let write = SQLITE_IOERR | (3 << 8)
    private static let sharedMemorySize = SQLITE_IOERR | (19 << 8)

    var isBusy: Bool { primary == SQLITE_BUSY || primary == SQLITE_LOCKED }
    var isCorruption: Bool { primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB }

    var storeFailure: StoreFailure {
        StoreFailure(
            code: "sqlite-\(code)", message: "could not \(doing): \(message)", isRetriable: isBusy || isDiskFull)
    }
}

extension SQLiteFailure {
    /// The file can be read but does not say what it must.
    static func damaged(_ reason: String) -> SQLiteFailure {
        SQLiteFailure(code: SQLITE_CORRUPT, systemError: 0, message: reason, doing: "read the log")
    }
}
