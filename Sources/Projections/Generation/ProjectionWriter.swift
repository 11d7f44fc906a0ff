package import EventLog
package import FinOps
import Foundation
import GRDB

/// The one writer of a generation: events in, rows and checkpoint out, in one transaction a batch.
package actor ProjectionWriter {
    /// Whether a new generation is being filled, which nobody reads yet, or the current one is kept up to date.
    package enum Mode: Sendable { case build, live }

    /// How far a generation has come.
    package struct Checkpoint: Hashable, Sendable {
        package var position: Position
        package var recorded: Timestamp
        package var halt: ProjectionHalt?
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package let path: String
    private let executor = QueueExecutor(label: "projection-writer")
    private let mode: Mode
    private let zone: String
    private var queue: DatabaseQueue?
    private var fold: ProjectionFold?
    private var checkpoint = Checkpoint(position: .start, recorded: .distantPast)
    private var skipped: Set<UInt64> = []
    private var inTransaction = false

    /// Creates a new generation, or opens an existing one.
    /// - Throws: `ProjectionFailure` `projection-outdated` if the generation is of another schema or zone: it needs a rebuild.
    package init(path: String, mode: Mode, calendar: BusinessCalendar) async throws {
        self.path = path
        self.mode = mode
        zone = calendar.zone.identifier
        try open(calendar)
    }

    private func open(_ calendar: BusinessCalendar) throws {
        let queue = try mode == .build ? ProjectionDatabase.openForBuild(path) : ProjectionDatabase.openForWriting(path)
        self.queue = queue
        fold = try queue.inDatabase { database in
            if mode == .build { try create(database) }
            let connection = database.sqliteConnection!
            let stored = try GenerationState(connection)
            try stored.requireCurrent(zone: zone)
            checkpoint = stored.checkpoint
            return try ProjectionFold(connection, calendar: calendar, unknownEvents: stored.unknownEvents)
        }
    }

    private nonisolated func create(_ database: Database) throws {
        try database.execute(sql: ProjectionSchema.tables)
        try database.execute(
            sql: "INSERT INTO checkpoint VALUES (1, 0, 0, ?, ?, 0, NULL, NULL, NULL)",
            arguments: [ProjectionSchema.version, zone])
    }

    package var state: Checkpoint { checkpoint }

    /// Positions that `finops dead-letters skip` lets pass.
    package func skip(_ positions: Set<UInt64>) { skipped.formUnion(positions) }

    /// Applies events in log order; what lies at or before the checkpoint is there already and is passed over.
    /// - Parameters:
    ///   - through: the checkpoint afterwards: how far the log has been looked at with these events.
    ///   - commit: false where a build goes on with the same transaction.
    /// - Throws: `ProjectionHalt` at an event that cannot be applied: everything before it is written and committed.
    ///   `ProjectionFailure` or a `DatabaseError`: nothing of the transaction is kept, and the generation must be opened anew.
    package func apply(_ events: [ProjectedEvent], through: Position, commit: Bool = true) throws {
        guard let queue, let fold else { throw Self.closed }
        try queue.inDatabase { database in
            if !inTransaction { try database.execute(sql: "BEGIN IMMEDIATE") }
            inTransaction = true
            do {
                let halt = try advance(events, fold)
                if halt == nil, through > checkpoint.position { checkpoint.position = through }
                checkpoint.halt = halt
                if commit || halt != nil { try self.commit(database, fold) }
                if let halt { throw halt }
            } catch let halt as ProjectionHalt {
                throw halt
            } catch {
                close()
                throw error
            }
        }
    }

    private func advance(_ events: [ProjectedEvent], _ fold: ProjectionFold) throws -> ProjectionHalt? {
        for event in events where event.position > checkpoint.position.value {
            if !skipped.contains(event.position) {
                do { try fold.apply(event) } catch let refusal as Inapplicable {
                    return ProjectionHalt(position: event.position, type: event.type.text, reason: refusal.reason)
                }
            }
            checkpoint.position = Position(event.position)
            checkpoint.recorded = event.recorded
        }
        return nil
    }

    private func commit(_ database: Database, _ fold: ProjectionFold) throws {
        try fold.flush()
        try fold.run(
            """
            UPDATE checkpoint SET position = ?, recorded = ?, unknown_events = ?, halted_at = ?, halted_type = ?,
            halted_reason = ?
            """,
            .integer(Int64(checkpoint.position.value)), .integer(checkpoint.recorded.microseconds),
            .integer(fold.unknownEvents), SQLValue(checkpoint.halt.map { Int64($0.position) }),
            SQLValue(checkpoint.halt?.type), SQLValue(checkpoint.halt?.reason))
        try database.execute(sql: "COMMIT")
        inTransaction = false
    }

    /// Makes a built generation fit to be read: indexes and views are created, the file is put into WAL mode.
    package func finishBuild() throws {
        guard let queue else { throw Self.closed }
        fold = nil
        try queue.inDatabase { database in
            try database.execute(sql: ProjectionSchema.views)
            try database.execute(sql: "ANALYZE")
        }
        try queue.close()
        self.queue = nil
        try ProjectionDatabase.openForWriting(path).close()
    }

    /// Ends the use of the file; an open transaction is given up.
    package func close() {
        fold = nil
        queue = nil
        inTransaction = false
    }

    private static let closed = ProjectionFailure(code: "projection-closed", message: "the generation is not open")
}

/// What a generation says about itself.
struct GenerationState {
    let checkpoint: ProjectionWriter.Checkpoint
    let version: Int64
    let zone: String
    let unknownEvents: Int64

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        let query = try Statement(connection, "SELECT * FROM checkpoint")
        guard try query.step() else {
            throw ProjectionFailure(code: "projection-outdated", message: "the projections have no checkpoint")
        }
        let halt = query.optionalInteger(6).map {
            ProjectionHalt(position: UInt64(clamping: $0), type: query.text(7), reason: query.text(8))
        }
        checkpoint = ProjectionWriter.Checkpoint(
            position: Position(UInt64(clamping: query.integer(1))),
            recorded: Timestamp(microseconds: query.integer(2)), halt: halt)
        version = query.integer(3)
        zone = query.text(4)
        unknownEvents = query.integer(5)
    }

    func requireCurrent(zone wanted: String) throws(ProjectionFailure) {
        guard version == ProjectionSchema.version, zone == wanted else {
            throw ProjectionFailure(
                code: "projection-outdated",
                message: "the projections are of schema \(version) and zone \(zone), "
                    + "wanted are \(ProjectionSchema.version) and \(wanted)")
        }
    }
}
