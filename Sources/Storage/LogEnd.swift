package import EventLog

/// The end of a log, looked at as its writer does before the first append, but beside a writer and without a lock.
package enum LogEnd {
    /// Checks the hashes of the last rows and the witness; earlier rows are for `LogVerifier`.
    /// - Throws: `log-damaged`, `log-truncated`, `log-missing`, `sqlite-…`.
    package static func check(_ files: LogFiles) throws(StoreError) {
        // Before the head: a writer may commit in between, and a witness never runs ahead of its log.
        let witness = Witness.read(path: files.witness)
        let connection = try SQLiteLogScanner.connect(files.database)
        let head = try LogOpening.checkTail(connection)
        guard let complaint = try LogOpening.complaint(of: witness, head: head, connection) else { return }
        throw .failed(StoreFailure(code: "log-truncated", message: complaint, isRetriable: false))
    }
}
