package import EventLog
package import FinOps
import Foundation

/// The one writer of a generation: events in, rows and checkpoint out, in one transaction a batch.
package actor ProjectionWriter {
    /// Whether a new generation is being filled, which nobody reads yet, or the current one is kept up to date.
    package enum Mode: Sendable { case build, live }

    /// How far a generation has come.
    package struct Checkpoint: Hashable, Sendable {
        /// How far the log has been looked at; `.start` for an empty generation.
        package var position: Position
        /// Recorded time of the last event that was applied; `.distantPast` before the first.
        package var recorded: Timestamp
        /// The event before which it stands; nil while it goes on.
        package var halt: ProjectionHalt?
    }

    /// A queue of its own: SQLite blocks, and must not do so on the cooperative pool.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package let path: String
    private let executor = QueueExecutor(label: "projection-writer")
    private let mode: Mode
    private let zone: String
    private var connection: Connection?
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
        let connection = try mode == .build ? Connection.forBuild(path) : Connection.forWriting(path)
        self.connection = connection
        if mode == .build { try create(connection) }
        let stored = try GenerationState(connection.handle)
        try stored.requireCurrent(zone: zone)
        checkpoint = stored.checkpoint
        fold = try ProjectionFold(connection.handle, calendar: calendar, unknownEvents: stored.unknownEvents)
    }

    private func create(_ connection: Connection) throws {
        try connection.execute(ProjectionSchema.tables)
        try Statement(connection.handle, "INSERT INTO checkpoint VALUES (1, 0, 0, ?, ?, 0, NULL, NULL, NULL)").run(
            .integer(ProjectionSchema.version), .text(zone))
    }

    /// As of the last batch, committed or not.
    package var state: Checkpoint { checkpoint }

    /// Positions that `finops dead-letters skip` lets pass.
    package func skip(_ positions: Set<UInt64>) { skipped.formUnion(positions) }

    /// Applies events in log order; what lies at or before the checkpoint is there already and is passed over.
    /// - Parameters:
    ///   - through: the checkpoint afterwards: how far the log has been looked at with these events.
    ///   - commit: false where a build goes on with the same transaction.
    /// - Throws: `ProjectionHalt` at an event that cannot be applied: everything before it is written and committed.
    ///   `ProjectionFailure`: nothing of the transaction is kept, and the generation must be opened anew.
    package func apply(_ events: [ProjectedEvent], through: Position, commit: Bool = true) throws {
        guard let connection, let fold else { throw Self.closed }
        let halt: ProjectionHalt?
        do {
            if !inTransaction { try connection.execute("BEGIN IMMEDIATE") }
            inTransaction = true
            halt = try advance(events, fold)
            if halt == nil, through > checkpoint.position { checkpoint.position = through }
            checkpoint.halt = halt
            if commit || halt != nil { try self.commit(connection, fold) }
        } catch {
            close()
            throw error
        }
        if let halt { throw halt }
    }

    private func advance(_ events: [ProjectedEvent], _ fold: ProjectionFold) throws -> ProjectionHalt? {
        var reached = checkpoint
        defer { checkpoint = reached }
        return try fold.withCaches { caches in
            for event in events where event.position > reached.position.value {
                if skipped.isEmpty || !skipped.contains(event.position) {
                    do { try fold.apply(event, &caches) } catch let refusal as Inapplicable {
                        return ProjectionHalt(position: event.position, type: event.type.text, reason: refusal.reason)
                    }
                }
                reached.position = Position(event.position)
                reached.recorded = event.recorded
            }
            return nil
        }
    }

    private func commit(_ connection: Connection, _ fold: ProjectionFold) throws {
        try fold.flush()
        try fold.run(
            """
            UPDATE checkpoint SET position = ?, recorded = ?, unknown_events = ?, halted_at = ?, halted_type = ?,
            halted_reason = ?
            """,
            .integer(Int64(checkpoint.position.value)), .integer(checkpoint.recorded.microseconds),
            .integer(fold.unknownEvents), SQLValue(checkpoint.halt.map { Int64($0.position) }),
            SQLValue(checkpoint.halt?.type), SQLValue(checkpoint.halt?.reason))
        try connection.execute("COMMIT")
        inTransaction = false
    }

    /// Makes a built generation fit to be read: views are created, the file is put into WAL mode.
    package func finishBuild() throws {
        guard let connection else { throw Self.closed }
        fold = nil
        try connection.execute(ProjectionSchema.views)
        self.connection = nil
        _ = consume connection
        _ = try Connection.forWriting(path)
    }

    /// Ends the use of the file; an open transaction is given up.
    package func close() {
        fold = nil
        connection = nil
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
        let query = try Statement(
            connection,
            """
            SELECT position, recorded, version, zone, unknown_events, halted_at, halted_type, halted_reason
            FROM checkpoint
            """)
        guard try query.step() else {
            throw ProjectionFailure(code: "projection-outdated", message: "the projections have no checkpoint")
        }
        let halt = query.optionalInteger(5).map {
            ProjectionHalt(position: UInt64(clamping: $0), type: query.text(6), reason: query.text(7))
        }
        checkpoint = ProjectionWriter.Checkpoint(
            position: Position(UInt64(clamping: query.integer(0))),
            recorded: Timestamp(microseconds: query.integer(1)), halt: halt)
        version = query.integer(2)
        zone = query.text(3)
        unknownEvents = query.integer(4)
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
