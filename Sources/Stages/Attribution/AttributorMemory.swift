import EventLog
import FinOps

/// What the attributor knows of the log: all of it can be read again.
struct AttributorMemory: Sendable {
    var reactor = AssignmentReactor()
    /// Days that have a bill: only these are spread again when usage changes.
    var billDays: Set<AccountDay> = []
    var parking = ParkingLot(stage: Attributor.stage)

    /// Reads what a run begins with: the directory as of the checkpoint, every assignment made so far (a crash may have left
    /// some beyond the checkpoint), the days with bills, and what is parked.
    static func load(from reader: any EventReader, checkpoint: Position) async throws -> AttributorMemory {
        var memory = AttributorMemory()
        for event in try await reader.readAll(stream: .failures(stage: Attributor.stage)) {
            // An administrator's answer beyond the checkpoint is still to be acted on, not yet history.
            let isOwn = event.producer.text.hasPrefix(Attributor.stage)
            guard isOwn || event.position <= checkpoint else { continue }
            if let decoded = try EventCatalogue.decode(event.event) { memory.parking.evolve(decoded) }
        }
        // Every assignment, the directory as of the checkpoint.
        let history = try await reader.readAll(prefixes: Directory.streamPrefixes + ["assignment-"]).filter {
            $0.position <= checkpoint || $0.stream.category == "assignment"
        }
        for event in history where !memory.parking.excludes(event.position) {
            if let decoded = try EventCatalogue.decode(event.event) { memory.reactor.evolve(decoded) }
        }
        for summary in try await reader.allStreams(prefix: "bill-") {
            if let day = summary.stream.accountDay { memory.billDays.insert(day) }
        }
        return memory
    }
}
