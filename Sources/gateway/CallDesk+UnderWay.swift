import EventLog
import FinOps
import Metering
import Spool
import Synchronization

/// Calls under way are written down, so that one that a kill cuts short is recorded by the next run.
extension CallDesk {
    /// Called before an attempt goes to its upstream.
    /// - Parameter event: with all that is known by then; what the request alone may be charged with is added.
    /// - Returns: its place among the calls under way; nil where there is no room for it.
    func writeDown(_ event: inout WireCallRecorded, _ call: IncomingCall, _ ticket: Admission.Ticket) -> Int? {
        guard let underWay = keeper.underWay else { return nil }
        event.serviceTier = call.facts.namedTier
        event.quantities = MeterReading.useOfRequest(call.match.route, call.facts)
        if call.match.route.answersLater(call.facts) { event.bound.nanos = ticket.bound }
        let now = call.started.seconds
        func add(_ event: WireCallRecorded) -> Int? {
            underWay.add(
                FinOpsEvent.callRecorded(event).payload, bound: ticket.bound,
                ends: now + admission.terms.reservationSeconds, now: now)
        }
        if let place = add(event) { return place }
        // What callers say may be longer than a place.
        var short = event
        short.context.metadata = [:]
        return add(short)
    }

    /// Records what earlier runs let through and never heard the end of, each once, and sets aside what it may yet cost. Said
    /// before the first call, when what the log and the spool hold is known.
    /// - Returns: how many were recorded, and how many cannot be read.
    func recordCutShort(_ left: [UnderWayFile.Left]) -> (recorded: Int, unreadable: Int) {
        var (recorded, unreadable) = (0, 0)
        for call in left.sorted(by: { $0.ends < $1.ends }) {
            guard let (begun, route) = read(call) else {
                unreadable += 1
                keeper.underWay?.forget(call.place)
                continue
            }
            // The kill came between its record and the word that this is kept.
            guard call.isRecorded || !admission.isRecorded(begun) else {
                keeper.underWay?.forget(call.place)
                continue
            }
            let event = cutShort(begun, route, call)
            if !call.isRecorded {
                let started = Timestamp(microseconds: event.started)
                keep(event, id: beginnings.withLock { $0.id(at: started) }, place: call.place)
                admission.settle(event)
                recorded += 1
            }
            if call.progress.isSent { admission.hold(event, bound: call.bound, until: call.ends) }
        }
        return (recorded, unreadable)
    }

    /// - Returns: nil for what another version wrote.
    private func read(_ call: UnderWayFile.Left) -> (begun: WireCallRecorded, route: Route)? {
        let event = NewEvent(
            id: .none, type: "call.recorded", occurred: Timestamp(microseconds: 0), payload: call.record)
        do {
            guard case .callRecorded(let begun)? = try EventCatalogue.decode(event) else { return nil }
            return Route.all.first { $0.name == begun.route }.map { (begun, $0) }
        } catch { return nil }
    }

    private func cutShort(_ begun: WireCallRecorded, _ route: Route, _ call: UnderWayFile.Left) -> WireCallRecorded {
        let progress = call.progress
        var event = begun
        event.ended = AnswerEnd.killed.rawValue
        event.status = progress.status
        event.firstByte = progress.firstByte
        let reading = MeterReading.cutShort(
            begun, isSent: progress.isSent, status: Int(progress.status), output: progress.output)
        admission.complete(&event, route, reading, bound: call.bound)
        return event
    }
}
