package import EventLog

/// What a full check of a log found.
package struct LogVerification: Hashable, Sendable {
    /// The first place that is not what was written.
    package struct Problem: Hashable, Sendable {
        /// The first position that cannot be trusted.
        package var position: Position
        /// A sentence for the operator.
        package var reason: String
    }

    /// How many events are in order from the first one on.
    package var events: UInt64
    /// The last of these.
    package var head: LogHead
    /// Nil if every bit that was written is as it was written.
    package var problem: Problem?
}

/// Checks a whole log: the hash of every row, every page and index, the tables' definitions, the producers, the witness.
/// It reads the file read-only, beside its writer or without one, as of one moment.
package struct LogVerifier {
    /// What it is at, for who waits.
    package enum Progress: Sendable { case rows(Position, of: Position), pages }

    private let rows: EventRows

    /// A log that was never written to is sound; one that is gone is not.
    /// - Throws: `log-newer` if this program does not know its layout. A file that is too
    ///   damaged to be opened is a problem found, not an error.
    package static func verify(files: LogFiles, progress: (Progress) -> Void = { _ in }) throws(StoreError)
        -> LogVerification
    {
        // Before the rows: the log may go on meanwhile, its witness must not have seen more.
        let witness = Witness.read(path: files.witness)
        do throws(StoreError) {
            return try check(files.database, progress) { end, connection throws(StoreError) in
                guard let complaint = try LogOpening.complaint(of: witness, head: end, connection) else { return nil }
                return .init(
                    position: witness.map { min($0.position, end.position.next) } ?? end.position, reason: complaint)
            }
        } catch {
            guard case .failed(let failure) = error, failure.code == "log-missing" else { throw error }
            let problem = LogVerification.Problem(position: Position(1), reason: "the log's database is missing")
            return LogVerification(
                events: 0, head: .genesis, problem: (witness ?? .genesis) == .genesis ? nil : problem)
        }
    }

    /// Checks a copy of a log, which has no witness.
    package static func verifyCopy(at path: String, progress: (Progress) -> Void = { _ in }) throws(StoreError)
        -> LogVerification
    {
        try check(path, progress) { _, _ throws(StoreError) in nil }
    }

    private static func check(
        _ path: String, _ progress: (Progress) -> Void,
        witness: (LogHead, Connection) throws(StoreError) -> LogVerification.Problem?
    ) throws(StoreError) -> LogVerification {
        do throws(StoreError) {
            let connection = try SQLiteLogScanner.connect(path)
            let rows = try storing { () throws(SQLiteFailure) in try EventRows(connection) }
            return try LogVerifier(rows: rows).run(progress, witness: witness)
        } catch {
            guard case .failed(let failure) = error, failure.isDamage else { throw error }
            return LogVerification(
                events: 0, head: .genesis, problem: .init(position: Position(1), reason: failure.message))
        }
    }

    private func run(
        _ progress: (Progress) -> Void, witness: (LogHead, Connection) throws(StoreError) -> LogVerification.Problem?
    ) throws(StoreError) -> LogVerification {
        let (end, fault) = try storing { () throws(SQLiteFailure) in
            try rows.connection.execute("BEGIN", doing: "read the log")
            return try walk(progress)
        }
        if let fault { return found(fault.position, fault.reason, after: end) }
        progress(.pages)
        if let problem = try storing({ () throws(SQLiteFailure) in try StructureCheck(rows, end.position).run() }) {
            return found(problem.position, problem.reason, after: end)
        }
        if let problem = try witness(end, rows.connection) {
            return found(problem.position, problem.reason, after: end)
        }
        return LogVerification(events: end.position.value, head: end)
    }

    private func walk(_ progress: (Progress) -> Void) throws(SQLiteFailure) -> (LogHead, ChainFault?) {
        let last = try rows.head().position
        var walk = ChainWalk(after: .genesis)
        let fault = try walk.run(over: rows, through: last) { progress(.rows($0, of: last)) }
        let hash = fault == nil ? walk.hash : try rows.hash(at: walk.position)
        return (LogHead(position: walk.position, hash: hash), fault)
    }

    private func found(_ position: Position, _ reason: String, after head: LogHead) -> LogVerification {
        LogVerification(events: head.position.value, head: head, problem: .init(position: position, reason: reason))
    }
}

extension StoreFailure {
    /// Whether it tells of bytes that are not what was written, rather than of a file that cannot be had.
    fileprivate var isDamage: Bool {
        code == "log-foreign" || code == "log-unfit"
            || code.hasPrefix("sqlite-") && [11, 26].contains(Int32(code.dropFirst(7)).map { $0 & 0xFF })
    }
}
