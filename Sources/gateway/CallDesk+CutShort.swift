import EventLog
import FinOps
import Spool
import Synchronization

extension CallDesk {
    /// Records what earlier runs let through and never heard the end of, each once, and sets aside what it may yet cost. Said
    /// before the first call, when what the log and the spool hold is known.
    /// - Returns: the calls that were recorded, and how many cannot be read.
    func recordCutShort() -> (recorded: [String], unreadable: Int) {
        let (calls, unreadable) = underWay.cutShort()
        var recorded: [String] = []
        var held: [(event: WireCallRecorded, rest: Int64, ends: Int64, place: Int)] = []
        for call in calls {
            let (left, place) = (call.left, call.left.place)
            var (event, rest) = (call.event, left.bound)
            if left.stage != .recorded {
                let isKnown = admission.knows(event)
                if isKnown, left.stage == .underWay {
                    // The kill came between its record and the word that this is kept.
                    underWay.forget(place)
                    continue
                }
                admission.complete(&event, call.route, call.reading, bound: left.bound)
                rest = max(0, left.bound - admission.cost(of: event))
                if !isKnown {
                    underWay.beginRecording(place)
                    let started = Timestamp(microseconds: event.started)
                    let isKept = keep(event, id: beginnings.withLock { $0.id(at: started) }, place: place)
                    admission.settle(event)
                    tally.cutShort(event)
                    recorded.append(event.call)
                    // Its place is that of the record, until this can be kept.
                    if !isKept {
                        if call.mayCostMore { _ = admission.hold(event, rest, until: left.ends) }
                        continue
                    }
                }
            }
            if call.mayCostMore, admission.hold(event, rest, until: left.ends) {
                underWay.end(place)
                held.append((event, rest, left.ends, place))
            } else {
                underWay.forget(place)
            }
        }
        underWay.fold(held, now: admission.now().seconds)
        return (recorded, unreadable)
    }
}
