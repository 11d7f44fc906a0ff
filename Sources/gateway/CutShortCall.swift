import EventLog
import FinOps
import Metering
import Spool

/// A call that an earlier run let through, and of which it left no record, or may have left none.
struct CutShortCall {
    /// How much was written down of it.
    enum Form {
        /// What was known when it began, and how far it had come: nobody knows how it ended.
        case begun
        /// What its provider has said it used: at most the end itself is missing.
        case told
        /// Its record, price and all.
        case record
    }

    let left: UnderWayFile.Left
    let route: Route
    let form: Form
    private let written: WireCallRecorded

    /// - Returns: nil for what another version wrote.
    init?(_ left: UnderWayFile.Left) {
        let event = NewEvent(
            id: .none, type: "call.recorded", occurred: Timestamp(microseconds: 0), payload: left.call)
        do {
            guard case .callRecorded(let written)? = try EventCatalogue.decode(event),
                let route = Route.all.first(where: { $0.name == written.route })
            else { return nil }
            (self.left, self.written, self.route) = (left, written, route)
            // The kind of use is written with the price.
            form = !written.kind.isEmpty ? .record : !written.ended.isEmpty ? .told : .begun
        } catch { return nil }
    }

    /// Whose it was.
    var gateway: String { written.gateway }

    /// Whether its record may count less than it cost: not if nothing was sent, or the provider refused it.
    private var mayCostMore: Bool { left.progress.isSent && [0, 2].contains(left.progress.status / 100) }

    /// Its record, and the nano-units that it may cost beyond that.
    func record(_ admission: Admission) -> (event: WireCallRecorded, rest: Int64) {
        // What is recorded is not priced anew; its bound is the rest.
        if form == .record || left.stage == .recorded { return (written, left.bound) }
        var event = written
        let reading: MeterReading
        if form == .told {
            reading = MeterReading(of: written)
        } else {
            event.ended = AnswerEnd.killed.rawValue
            event.status = left.progress.status
            event.firstByte = left.progress.firstByte
            reading = .cutShort(
                written, isSent: left.progress.isSent, status: Int(left.progress.status), output: left.progress.output)
        }
        admission.complete(&event, route, reading, bound: left.bound)
        return (event, form == .begun && mayCostMore ? max(0, left.bound - admission.cost(of: event)) : 0)
    }
}
