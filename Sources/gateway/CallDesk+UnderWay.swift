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
        event.serviceTier = call.facts.namedTier
        event.quantities = MeterReading.useOfRequest(call.match.route, call.facts)
        if call.match.route.answersLater(call.facts) { event.bound.nanos = ticket.bound }
        return add(event, ticket)
    }

    /// Called when the provider has said what an attempt used, and its answer has not ended.
    /// - Parameters:
    ///   - event: as it would be recorded, but for that use.
    ///   - old: its place until now. A kill between may leave both, which are one attempt.
    /// - Returns: its place from now on.
    func writeDown(
        _ told: MeterReading, of event: WireCallRecorded, _ ticket: Admission.Ticket, insteadOf old: Int?
    ) -> Int? {
        var event = event
        told.write(to: &event)
        guard let place = add(event, ticket) else { return old }
        if let old { keeper.underWay?.forget(old) }
        return place
    }

    private func add(_ event: WireCallRecorded, _ ticket: Admission.Ticket) -> Int? {
        guard let underWay = keeper.underWay else { return nil }
        let now = event.started / 1_000_000
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
        var calls: [CutShort] = []
        for call in left {
            if let read = CutShort(call) {
                calls.append(read)
            } else {
                unreadable += 1
                keeper.underWay?.forget(call.place)
            }
        }
        // What was told first, should a kill have left both. Of the others the first to end comes first.
        for call in calls.sorted(by: { ($0.isTold ? 0 : 1, $0.left.ends) < ($1.isTold ? 0 : 1, $1.left.ends) }) {
            // The kill came between its record and the word that this is kept.
            guard call.left.isRecorded || !admission.isRecorded(call.begun) else {
                keeper.underWay?.forget(call.left.place)
                continue
            }
            var event = call.ended
            admission.complete(&event, call.route, call.reading, bound: call.left.bound)
            if !call.left.isRecorded {
                let started = Timestamp(microseconds: event.started)
                keep(event, id: beginnings.withLock { $0.id(at: started) }, place: call.left.place)
                admission.settle(event)
                recorded += 1
            }
            if call.mayCostMore { admission.hold(event, bound: call.left.bound, until: call.left.ends) }
        }
        return (recorded, unreadable)
    }
}

/// A call that an earlier run let through and never heard the end of.
private struct CutShort {
    let left: UnderWayFile.Left
    let begun: WireCallRecorded
    let route: Route

    /// - Returns: nil for what another version wrote.
    init?(_ left: UnderWayFile.Left) {
        let event = NewEvent(
            id: .none, type: "call.recorded", occurred: Timestamp(microseconds: 0), payload: left.record)
        do {
            guard case .callRecorded(let begun)? = try EventCatalogue.decode(event),
                let route = Route.all.first(where: { $0.name == begun.route })
            else { return nil }
            (self.left, self.begun, self.route) = (left, begun, route)
        } catch { return nil }
    }

    /// The provider had said what it used: nothing but the end itself is missing.
    var isTold: Bool { !begun.ended.isEmpty }
    var mayCostMore: Bool { left.progress.isSent && !isTold }

    /// The record, but for the use.
    var ended: WireCallRecorded {
        guard !isTold else { return begun }
        var event = begun
        event.ended = AnswerEnd.killed.rawValue
        event.status = left.progress.status
        event.firstByte = left.progress.firstByte
        return event
    }

    var reading: MeterReading {
        isTold
            ? MeterReading(of: begun)
            : .cutShort(
                begun, isSent: left.progress.isSent, status: Int(left.progress.status), output: left.progress.output)
    }
}
