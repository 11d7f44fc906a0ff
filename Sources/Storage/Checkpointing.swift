/// Decides when the write-ahead log is moved into the database. SQLite's own way swallows the failures.
final class Checkpointing {
    /// 64 MiB: rarely enough that appends stay quick, often enough that a start after a crash stays quick.
    private static let duePages: Int32 = 16_384
    /// How much more may gather while readers keep the write-ahead log from starting anew.
    private static let patiencePages: Int32 = 4_096

    private let connection: Connection
    private let pages: UnsafeMutablePointer<Int32>
    private var due = duePages

    /// - Throws: what the database said to moving what an earlier process left.
    init(_ connection: Connection) throws(SQLiteFailure) {
        self.connection = connection
        pages = .allocate(capacity: 1)
        pages.initialize(to: 0)
        do throws(SQLiteFailure) { try connection.emptyWriteAheadLog() } catch {
            if !error.isDiskFull { throw error }
        }
        connection.onCommit(pages)
    }

    deinit {
        // Two copies of a page would hide damage to one of them. What is not moved now is moved at the next start.
        do throws(SQLiteFailure) { try connection.emptyWriteAheadLog() } catch {}
        connection.onCommit(nil)
        pages.deallocate()
    }

    /// - Throws: what the database said. With a full disk it is tried again later; anything else is final.
    func runIfDue() throws(SQLiteFailure) {
        // It started anew since the last look.
        if pages.pointee < due - Self.patiencePages { due = Self.duePages }
        guard pages.pointee >= due else { return }
        due = pages.pointee + Self.patiencePages
        let (logged, moved) = try connection.checkpoint()
        if moved == logged { due = Self.duePages }
    }
}
