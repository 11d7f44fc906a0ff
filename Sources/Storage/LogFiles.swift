import Glibc

/// The files of one log: the database and, beside it, the writer's lock and the witness.
package struct LogFiles: Hashable, Sendable {
    /// A path; the other files lie in its folder.
    package let database: String

    /// - Parameter database: path of the database file; its folder belongs to the log.
    package init(database: String) { self.database = database }

    /// Whether there is a log to read.
    package var exist: Bool { access(database, F_OK) == 0 }

    var directory: String {
        guard let slash = database.lastIndex(of: "/") else { return "." }
        return slash == database.startIndex ? "/" : String(database[..<slash])
    }

    /// Held (flock) by the one process that writes.
    package var lock: String { directory + "/lock" }
    /// Position and hash of the last commit, kept apart from the database.
    package var witness: String { directory + "/witness" }
}
