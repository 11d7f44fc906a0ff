import EventLog
import FinOps
import Metering
import Spool
import Synchronization

/// What a start found of calls that earlier runs let through.
struct CutShortReport {
    /// Recorded now with an estimate: nobody knows how they ended.
    var cutShort: [String] = []
    /// Recorded now as they were: their end, or what they used, was known.
    var ended = 0
    /// What cannot be read.
    var unreadable = 0
}

extension CallDesk {
    /// Records what earlier runs let through and never heard the end of, each once, and sets aside what it may yet cost. Said
    /// when what the log and the spool hold is known, and before the first call, if the file can be opened by then.
    /// - Throws: `ForeignSpool`, and no call of another gateway is given up.
    func recordCutShort() throws(ForeignSpool) -> CutShortReport {
        let (calls, unreadable) = try underWay.cutShort()
        var report = CutShortReport(unreadable: unreadable)
        var held: [CallsUnderWay.Held] = []
        for call in calls {
            let (event, mayCost) = call.record(admission)
            let rest = call.left.ends > admission.now().seconds ? mayCost : 0
            let isKnown = call.left.stage == .recorded || admission.knows(event)
            if isKnown, call.left.stage == .underWay {
                // The kill came between its record and the word that this is kept.
                underWay.forget(call.left.place)
                continue
            }
            let place = isKnown ? call.left.place : record(call, event, rest, &report)
            // Whether or not a limit holds it now: there may be one of which the log has yet to tell.
            if rest > 0 { admission.hold(event, rest, until: call.left.ends) }
            // A record that cannot be kept now is there until it can.
            guard let place else { continue }
            if rest > 0 {
                underWay.end(place)
                held.append(.init(record: event, rest: rest, ends: call.left.ends, place: place))
            } else {
                underWay.forget(place)
            }
        }
        underWay.fold(held, now: admission.now().seconds)
        return report
    }

    /// - Returns: the call's place from now on; nil if its record waits there to be kept.
    private func record(
        _ call: CutShortCall, _ event: WireCallRecorded, _ rest: Int64, _ report: inout CutShortReport
    ) -> Int? {
        let place = underWay.beginRecording(call, as: event, rest: rest, now: admission.now().seconds)
        let started = Timestamp(microseconds: event.started)
        let isKept = keep(event, id: beginnings.withLock { $0.id(at: started) }, place: place)
        admission.settle(event)
        tally.recordedLate(event)
        if event.ended == AnswerEnd.killed.rawValue { report.cutShort.append(event.call) } else { report.ended += 1 }
        return isKept ? place : nil
    }
}
