package import FinOps

/// A generation opened read-only, for answers. Not for two threads at once.
package final class ProjectionReader {
    private let connection: Connection
    /// Where the projections stand.
    package let checkpoint: ProjectionWriter.Checkpoint
    /// The business zone the days are of.
    package let calendar: BusinessCalendar
    /// Its IANA name.
    package let zone: String
    /// Events of types that this version does not know; they are in the log and in no table.
    package let unknownEvents: Int64

    /// - Throws: `ProjectionFailure`: `projection-missing`, `projection-outdated` (a rebuild is needed), `zone-unknown`.
    package init(path: String) throws {
        connection = try Connection.forReading(path)
        let state = try GenerationState(connection.handle)
        try state.requireCurrent(zone: state.zone)
        guard let calendar = BusinessCalendar(state.zone) else {
            throw ProjectionFailure(code: "zone-unknown", message: "the system does not know the zone \(state.zone)")
        }
        self.calendar = calendar
        checkpoint = state.checkpoint
        zone = state.zone
        unknownEvents = state.unknownEvents
    }

    /// Reads every page and looks whether the tables are whole; what the rows say is not compared with the log.
    /// - Throws: `ProjectionFailure`: `projection-damaged`, `sqlite-…`.
    package func checkPages() throws {
        let check = try Statement(connection.handle, "PRAGMA quick_check(1)")
        guard try check.step() else { return }
        let found = check.text(0)
        guard found == "ok" else {
            throw ProjectionFailure(code: "projection-damaged", message: "the projections are damaged: \(found)")
        }
    }

    /// - Throws: `ProjectionFailure`.
    package func costs(_ query: CostQuery) throws -> CostReport {
        try read { connection in
            var answer = try CostAnswer(connection, query, calendar)
            return try answer.report()
        }
    }

    /// One consistent view of the file.
    func read<Answer>(_ body: (OpaquePointer) throws -> Answer) throws -> Answer {
        try connection.execute("BEGIN")
        defer { try? connection.execute("COMMIT") }  // Nothing was written; the answer is there already.
        return try body(connection.handle)
    }
}
