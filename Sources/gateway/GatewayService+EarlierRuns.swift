import EventLog
import FinOps
import Logging
import Metering
import Runtime
import Spool

/// What a start does about earlier runs.
extension GatewayService {
    /// What an earlier run has kept and the log may not have counts against the limits from the first call on. What was taken
    /// in from the log is still in the spool's files for a while, and would count twice for ever.
    func settleUnlogged(_ work: Work) async throws {
        var last = try work.spool.number(ofSequence: work.admission.takenSequence)
        while true {
            let records = try await work.spool.read(after: last, limit: 1_000)
            guard let end = records.last?.number else { return }
            last = end
            for record in records {
                guard case .callRecorded(let call)? = read(record) else { continue }
                guard call.gateway == name else {
                    throw ForeignSpool(directory: context.directory.gateway(name), owner: call.gateway)
                }
                work.admission.settle(call)
            }
        }
    }

    private func read(_ record: SpoolRecord) -> FinOpsEvent? {
        do { return try EventCatalogue.decode(record.event) } catch {
            context.logger.error(
                "a record of an earlier run cannot be read, and counts towards no limit",
                metadata: ["number": "\(record.number)", "error": "\(error)"])
            return nil
        }
    }

    func tellOfCutShort(_ work: Work) throws(ForeignSpool) {
        let report = try work.desk.recordCutShort()
        if !report.cutShort.isEmpty {
            context.logger.notice(
                "calls that the end of an earlier run cut short are recorded, with an estimate of what they used",
                metadata: [
                    "calls": "\(report.cutShort.count)",
                    "first": "\(report.cutShort.prefix(10).joined(separator: " "))",
                ])
        }
        if report.ended > 0 {
            context.logger.notice(
                "calls of an earlier run are recorded as it knew them: their record was all that was missing",
                metadata: ["calls": "\(report.ended)"])
        }
        if work.underWay.isNew, work.spool.recovery.last > 0 {
            context.logger.notice(
                "there was no file of calls under way: had an earlier run been killed, what it cut short is not known",
                metadata: ["folder": "\(context.directory.gateway(name))"])
        }
        if report.unreadable > 0 {
            context.logger.error(
                """
                calls that an earlier run left under way cannot be read, and go unrecorded: written by another version, \
                or not wholly on disk when the power failed
                """,
                metadata: ["calls": "\(report.unreadable)"])
        }
    }
}

/// A spool that another gateway has filled: what is in it would be counted twice.
struct ForeignSpool: Error, CustomStringConvertible {
    let directory: String
    let owner: String

    var description: String {
        "\(directory) holds calls of gateway \(CallContext.printable(owner)): it is that one's folder, or a copy of it. "
            + "Move it away, and start this gateway with none"
    }
}
