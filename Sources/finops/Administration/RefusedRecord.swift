import EventLog
import FinOps
import JSON
import Runtime
import Spool

/// A record of a gateway that the log refused, kept in a file beside the gateway's spool: tried again it is delivered from
/// there, since no program reads it in the log.
struct RefusedRecord {
    private static let mark = "gateway-"

    /// The gateway's name.
    let gateway: String
    let number: UInt64

    /// - Returns: nil for the letters of all other programs.
    init?(stage: String, position: UInt64) {
        guard stage.hasPrefix(Self.mark) else { return nil }
        gateway = String(stage.dropFirst(Self.mark.count))
        number = position
    }

    /// Delivers it exactly once, however often that is tried, and says so.
    /// - Throws: `CommandFailure` if its file is not there, or if the log refuses it again; then it stays where it is.
    func deliver(_ session: AdministrationSession, of directory: StateDirectory, reason: String) async throws -> Answer
    {
        let folder = directory.gateway(gateway)
        guard let record = try Spool.refused(number, of: folder) else {
            throw CommandFailure(
                .failure, "\(folder)/refused holds no record \(number): it was delivered, or is on another machine",
                hint: "run the command where gateway \(gateway) runs")
        }
        // A producer of its own for each event: the log itself knows whether it has it.
        let producer = try await session.store.openSession(ProducerName("redelivery-\(record.event.id)"))
        let isNew = producer.lastSequence == 0
        if isNew {
            do throws(StoreError) {
                _ = try await session.store.append(
                    AppendRequest(session: producer, sequence: 1, [StreamAppend(record.stream, [record.event])]))
            } catch {
                guard case .refused(let refusal) = error else { throw error }
                throw CommandFailure(
                    .failure, "the log refuses record \(number) of gateway \(gateway) again: \(refusal)",
                    hint: "finops dead-letters skip \(Self.mark)\(gateway)/\(number) --reason TEXT, if it is to be lost"
                )
            }
        }
        _ = try await session.decide(
            DeadLetterBox.self, on: .failures(stage: Self.mark + gateway),
            .retry(stage: Self.mark + gateway, position: number, reason: reason))
        try Spool.forgetRefused(number, of: folder)
        return Answer(
            changed: isNew, "record \(number) of gateway \(gateway) is in the log",
            [.init("stage", .string(Self.mark + gateway)), .init("position", .integer(number))])
    }
}
