import EventLog
import FinOps
import Spool
import Synchronization

/// What a start found of calls that earlier runs let through.
struct CutShortReport {
    /// Recorded now with an estimate: nobody knows how they ended.
    var cutShort: [String] = []
    /// Recorded now as they were: they had ended, but for their record.
    var ended = 0
    /// What cannot be read.
    var unreadable = 0
}

extension CallDesk {
    /// Records what earlier runs let through and never heard the end of, each once, and sets aside what it may yet cost. Said
    /// before the first call, when what the log and the spool hold is known.
    /// - Parameter keepsAll: also what no known limit holds: there may be one of which the log has yet to tell.
    func recordCutShort(keepsAll: Bool) -> CutShortReport {
        let (calls, unreadable) = underWay.cutShort()
        var report = CutShortReport(unreadable: unreadable)
        var held: [CallsUnderWay.Held] = []
        for call in calls {
            let left = call.left
            var (event, rest, place) = (call.event, left.bound, left.place)
            if !call.isWhole {
                if left.stage != .recorded {
                    admission.complete(&event, call.route, call.reading, bound: left.bound)
                    rest = max(0, left.bound - admission.cost(of: event))
                }
                if !call.mayCostMore { rest = 0 }
            }
            var isKept = left.stage == .recorded || admission.knows(event)
            if isKept, left.stage == .underWay {
                // The kill came between its record and the word that this is kept.
                underWay.forget(place)
                continue
            }
            if !isKept {
                place = underWay.beginRecording(call, as: event, rest: rest, now: admission.now().seconds)
                let started = Timestamp(microseconds: event.started)
                isKept = keep(event, id: beginnings.withLock { $0.id(at: started) }, place: place)
                admission.settle(event)
                tally.recordedLate(event)
                if call.hasEnded { report.ended += 1 } else { report.cutShort.append(event.call) }
            }
            let isHeld = rest > 0 && (admission.hold(event, rest, until: left.ends) || keepsAll)
            // Until its record can be kept, this is there.
            guard isKept else { continue }
            if isHeld {
                underWay.end(place)
                held.append(.init(record: event, rest: rest, ends: left.ends, place: place))
            } else {
                underWay.forget(place)
            }
        }
        underWay.fold(held, now: admission.now().seconds)
        return report
    }
}
