package import EventLog
import Glibc

/// The log on disk as its one writer uses it: synchronous, for one thread at a time, every group in one durable commit.
///
/// A refusal concerns its request alone. A full disk refuses the group and is tried anew with the next one. Any other
/// failure of the database is final (`fatalFailure`): what a failed sync left behind is known after a restart only, so the
/// process is to end.
package final class SQLiteLog: GroupStore {
    private let connection: Connection
    private let beginning: Statement
    private let committing: Statement
    private let writer: LogWriter
    private let streams: StreamTable
    private let producers: ProducerTable
    private let names: NameTable
    private let witness: Witness
    private let checkpointing: Checkpointing
    private let knownTypes: Set<EventType>?

    /// Why nothing can be written any more; nil while all is well.
    package private(set) var fatalFailure: StoreFailure?
    /// What the witness said when it was overruled on opening: for the operator's log.
    package let acceptedTruncation: String?

    /// Opens the log, or makes it; checks its end against its hashes and its witness.
    /// - Parameters:
    ///   - knownTypes: types it accepts; nil for all.
    ///   - acceptTruncation: go on although the witness has seen more, or is missing.
    ///   - maximumPages: an upper bound of the file's size, for tests.
    ///   - now: the clock that stamps what is recorded; recorded time never goes back, whatever it says.
    /// - Throws: `log-locked`, `log-truncated`, `log-damaged`, `log-newer`, `log-foreign`, `sqlite-…`.
    package init(
        files: LogFiles, knownTypes: Set<EventType>? = nil, acceptTruncation: Bool = false, maximumPages: Int? = nil,
        now: @escaping () -> Timestamp
    ) throws(StoreError) {
        self.knownTypes = knownTypes
        connection = try LogOpening.connect(files, maximumPages: maximumPages)
        let head = try LogOpening.checkTail(connection)
        let (rewrite, overruled) = try LogOpening.checkWitness(
            files, head: head, accept: acceptTruncation, connection: connection)
        acceptedTruncation = overruled
        do throws(StoreFailure) { witness = try Witness(path: files.witness, initial: rewrite ? head : nil) } catch {
            throw .failed(error)
        }
        do throws(SQLiteFailure) {
            beginning = try connection.prepare("BEGIN IMMEDIATE")
            committing = try connection.prepare("COMMIT")
            names = try NameTable("names", on: connection)
            streams = try StreamTable(on: connection)
            producers = try ProducerTable(names: names, on: connection)
            writer = try LogWriter(
                connection: connection, head: head, names: names, streams: streams, producers: producers, now: now)
            checkpointing = try Checkpointing(connection)
        } catch {
            throw .failed(error.storeFailure)
        }
    }

    package var head: Position { writer.head.position }
    /// The head with its hash.
    package var logHead: LogHead { writer.head }

    // MARK: GroupStore

    package func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        if let fatalFailure { throw .failed(fatalFailure) }
        do throws(AppendRefusal) { try AppendRules.validate(producer: producer) } catch { throw .refused(error) }
        do throws(SQLiteFailure) {
            try begin()
            let name = try names.intern(producer.text)
            var row =
                try producers.row(of: producer.text)
                ?? ProducerRow(name: name, epoch: 0, sequence: 0, digest: LogHead.genesis.hash, first: 0, count: 0)
            row.epoch += 1
            try producers.write(row, text: producer.text)
            try commit()
            return ProducerSession(producer: producer, epoch: row.epoch, lastSequence: row.sequence)
        } catch {
            throw abandon(because: error)
        }
    }

    package func append(group: [AppendRequest]) -> GroupOutcome {
        if let fatalFailure { return .failure(group, .failed(fatalFailure), head: head) }
        let before = head
        var results: [Result<AppendReceipt, StoreError>] = []
        results.reserveCapacity(group.count)
        do throws(SQLiteFailure) {
            writer.beginGroup(reserving: group)
            for request in group { results.append(try answer(request)) }
            if connection.isInTransaction { try commit() }
        } catch {
            return .failure(group, abandon(because: error), head: head)
        }
        if head > before {
            do throws(StoreError) { try secure() } catch { return .failure(group, error, head: before) }
        }
        let (bytes, count) = writer.takeGroup()
        return GroupOutcome(results: results, committed: bytes, committedCount: count, first: before.next)
    }

    /// Writes events of another log as they were recorded there, in one commit: the same positions, times and so hashes.
    /// - Parameter events: each with the hash that its row had there.
    /// - Returns: which of them does not continue this log, and why; nothing is written then. Nil if all are written.
    package func restore(_ events: [(event: RecordedEvent, hash: [UInt8])]) throws(StoreError) -> RestoreRefusal? {
        if let fatalFailure { throw .failed(fatalFailure) }
        do throws(SQLiteFailure) {
            writer.beginGroup(reserving: [])
            try begin()
            for (index, (event, hash)) in events.enumerated() {
                var reason = try writer.restore(event)
                if reason == nil, hash != writer.hash { reason = "it does not have the hash it was exported with" }
                if let reason {
                    undo()
                    return RestoreRefusal(index: index, reason: "position \(event.position): \(reason)")
                }
            }
            try commit()
        } catch {
            throw abandon(because: error)
        }
        try secure()
        _ = writer.takeGroup()
        return nil
    }

    /// Checks everything about a request before it writes anything of it.
    private func answer(_ request: AppendRequest) throws(SQLiteFailure) -> Result<AppendReceipt, StoreError> {
        do throws(AppendRefusal) { try AppendRules.validate(request, knownTypes: knownTypes) } catch {
            return .failure(.refused(error))
        }
        let row = try producers.row(of: request.producer.text)
        do throws(AppendRefusal) {
            let admission = try AppendRules.admit(request, epoch: row?.epoch ?? 0, last: row?.sequence ?? 0) {
                RequestDigest.of(request) == row?.digest
            }
            if admission == .repeatAnswer, let row {
                return .success(AppendReceipt(first: Position(row.first), count: row.count, repeated: true))
            }
        } catch {
            return .failure(.refused(error))
        }
        if let conflict = try conflict(of: request) { return .failure(conflict) }
        guard var row else {
            return .failure(.refused(.fenced(producer: request.producer, epoch: request.epoch, current: 0)))
        }
        try begin()
        return .success(try writer.write(request, from: &row))
    }

    private func conflict(of request: AppendRequest) throws(SQLiteFailure) -> StoreError? {
        var failure: SQLiteFailure?
        do throws(StoreError) {
            _ = try AppendRules.checkVersions(request) { stream throws(StoreError) in
                do throws(SQLiteFailure) { return StreamVersion(try streams.head(of: stream.text).version) } catch {
                    failure = error
                    throw .failed(error.storeFailure)
                }
            }
            return nil
        } catch {
            if let failure { throw failure }
            return error
        }
    }

    // MARK: Transactions

    private func begin() throws(SQLiteFailure) {
        if !connection.isInTransaction { try beginning.run() }
    }

    private func commit() throws(SQLiteFailure) {
        try committing.run()
        writer.committed()
    }

    /// After a commit and before its answer: what has been acknowledged, the witness knows.
    private func secure() throws(StoreError) {
        do throws(StoreFailure) { try witness.write(writer.head) } catch {
            fatalFailure = error
            throw .failed(error)
        }
        // The commit is safe whatever becomes of this; a failure that is final shows with the next one.
        do throws(SQLiteFailure) { try checkpointing.runIfDue() } catch {
            if !error.isDiskFull { fatalFailure = error.storeFailure }
        }
    }

    /// Leaves everything as it was before the transaction.
    private func undo() {
        if connection.isInTransaction {
            // Its own failure would add nothing: the first one decides, and the caches are dropped either way.
            do throws(SQLiteFailure) { try connection.execute("ROLLBACK", doing: "undo a commit") } catch {}
        }
        names.forget()
        streams.forget()
        producers.forget()
        writer.rolledBack()
    }

    /// Undoes what was begun, and says what that means for who asked.
    private func abandon(because failure: SQLiteFailure) -> StoreError {
        undo()
        if failure.isDiskFull { return .refused(.readOnly(reason: "the disk is full (\(failure.storeFailure.code))")) }
        if failure.isBusy { return .refused(.busy(retryAfterMilliseconds: 100)) }
        let failure = failure.storeFailure
        fatalFailure = failure
        return .failed(failure)
    }
}

/// Why events of another log cannot be written into this one.
package struct RestoreRefusal: Hashable, Sendable {
    /// The first event that does not fit, among those given.
    package let index: Int
    /// Names the position.
    package let reason: String
}

extension GroupOutcome {
    /// Nothing was written, and everyone gets the same answer.
    fileprivate static func failure(_ group: [AppendRequest], _ error: StoreError, head: Position) -> GroupOutcome {
        GroupOutcome(
            results: group.map { _ in .failure(error) }, committed: [], committedCount: 0, first: head.next)
    }
}
