import EventLog
import FinOps
import Projections
import Runtime

/// Puts the event before which the projections stopped among the dead letters: `finops dead-letters` then lists it, and
/// lets it pass or be tried again.
enum HaltRecord {
    private static let stage = "projector"

    /// What the log says of the event; nil if it was never put aside.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func letter(of halt: ProjectionHalt, in log: some EventReader) async throws -> DeadLetterBox.Letter? {
        try await log.fold(.failures(stage: stage), with: DeadLetterBox.self).state[halt.position]
    }

    /// Whether an administrator has let it pass or be tried again.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func isAnswered(_ halt: ProjectionHalt, in log: some EventReader) async throws -> Bool {
        guard let letter = try await letter(of: halt, in: log) else { return false }
        return letter.state != .parked
    }

    /// Says it once, and once more after each retry that failed.
    /// - Parameter now: business time.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func write(_ halt: ProjectionHalt, to store: any EventStore, at now: Timestamp) async throws {
        let (box, version) = try await store.fold(.failures(stage: stage), with: DeadLetterBox.self)
        if let letter = box[halt.position], letter.state != .retried { return }
        let page = try await store.read(after: Position(halt.position - 1), limit: 1, types: nil)
        guard let event = page.events.first, event.position.value == halt.position else { return }
        let failed = WireProcessingFailed(event, stage: stage, attempts: 1, error: halt.reason)
        var random = SystemRandomNumberGenerator()
        let id = EventID.v7(at: now, using: &random)
        let session = try await store.openSession(ProducerName("\(stage)-\(id)"))
        let new = FinOpsEvent.processingFailed(failed).newEvent(id: id, occurred: now, causation: event.event.id)
        _ = try await store.append(
            AppendRequest(
                session: session, sequence: 1,
                [StreamAppend(.failures(stage: stage), expected: .exactly(version), [new])]))
    }
}
