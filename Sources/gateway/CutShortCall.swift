import EventLog
import FinOps
import Metering
import Spool

/// A call that an earlier run let through and never heard the end of.
struct CutShortCall {
    let left: UnderWayFile.Left
    let route: Route
    private let begun: WireCallRecorded

    /// - Returns: nil for what another version wrote.
    init?(_ left: UnderWayFile.Left) {
        let event = NewEvent(
            id: .none, type: "call.recorded", occurred: Timestamp(microseconds: 0), payload: left.call)
        do {
            guard case .callRecorded(let begun)? = try EventCatalogue.decode(event),
                let route = Route.all.first(where: { $0.name == begun.route })
            else { return nil }
            (self.left, self.begun, self.route) = (left, begun, route)
        } catch { return nil }
    }

    /// The provider had said what it used, and at most the end itself is missing; or it is recorded.
    var hasEnded: Bool { !begun.ended.isEmpty }
    /// It is the record, price and all: there was no room for it elsewhere, or it was being recorded.
    var isWhole: Bool { !begun.kind.isEmpty }
    /// Whether its record may count less than it cost: not if nothing was sent, or the provider refused it.
    var mayCostMore: Bool { !hasEnded && left.progress.isSent && [0, 2].contains(left.progress.status / 100) }

    /// Its record, but for the use and the price.
    var event: WireCallRecorded {
        guard !hasEnded else { return begun }
        var event = begun
        event.ended = AnswerEnd.killed.rawValue
        event.status = left.progress.status
        event.firstByte = left.progress.firstByte
        return event
    }

    var reading: MeterReading {
        hasEnded
            ? MeterReading(of: begun)
            : .cutShort(
                begun, isSent: left.progress.isSent, status: Int(left.progress.status), output: left.progress.output)
    }
}
