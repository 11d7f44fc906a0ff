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
        for call in calls {
            var event = call.event
            let place = call.left.place
            let isKnown = call.left.stage == .recorded || admission.knows(event)
            if isKnown, call.left.stage == .underWay {
                // The kill came between its record and the word that this is kept.
                underWay.file?.forget(place)
                continue
            }
            admission.complete(&event, call.route, call.reading, bound: call.left.bound)
            if isKnown {
                underWay.end(place)
            } else {
                underWay.file?.beginRecording(place)
                let started = Timestamp(microseconds: event.started)
                keep(event, id: beginnings.withLock { $0.id(at: started) }, place: place)
                admission.settle(event)
                tally.cutShort(event)
                recorded.append(event.call)
            }
            if call.mayCostMore { admission.hold(event, bound: call.left.bound, until: call.left.ends) }
        }
        return (recorded, unreadable)
    }
}
