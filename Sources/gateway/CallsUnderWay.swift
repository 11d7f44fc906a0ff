import FinOps
import Metering
import Spool

/// The calls of this gateway that are under way, written down so that the next run can record one that a kill cuts short.
struct CallsUnderWay: Sendable {
    /// nil where it could not be made or opened: then all is well, but for such calls.
    let file: UnderWayFile?
    /// How long after its start a call may cost its bound.
    let seconds: Int64

    /// Before an attempt goes to its upstream.
    /// - Parameters:
    ///   - begun: all that is known of it by then, `MeterReading.useOfRequest` included, and a bound if its answer is made later.
    ///   - bound: nano-units that it can cost at most.
    /// - Returns: its place; nil where there is no room for it.
    func add(_ begun: WireCallRecorded, bound: Int64) -> Int? {
        guard let file else { return nil }
        var call = FinOpsEvent.callRecorded(begun).payload
        if call.count > UnderWayFile.callBytes {
            // What callers say may be longer than a place.
            var short = begun
            short.context.metadata = [:]
            call = FinOpsEvent.callRecorded(short).payload
        }
        let now = begun.started / 1_000_000
        return file.add(call, bound: bound, ends: now + seconds, now: now)
    }

    /// When the provider has said what an attempt used, and its answer has not ended.
    /// - Parameter event: its record, but for the price.
    /// - Returns: its place from now on. A kill between may leave the old one, too, which is of the same attempt.
    func replace(_ old: Int?, with event: WireCallRecorded, bound: Int64) -> Int? {
        guard let place = add(event, bound: bound) else { return old }
        if let old { file?.forget(old) }
        return place
    }

    func note(_ progress: UnderWayFile.Progress, at place: Int?) {
        if let place { file?.note(progress, at: place) }
    }

    /// Its record is kept.
    func end(_ place: Int?) {
        if let place { file?.end(place) }
    }

    /// What earlier runs let through and never heard the end of. What was told comes first, should a kill have left both;
    /// of the others the first whose reservation ends.
    /// - Returns: those that can be read; what cannot is given up and counted.
    func cutShort() -> (calls: [CutShortCall], unreadable: Int) {
        guard let file else { return ([], 0) }
        var unreadable = file.unreadable
        let calls = file.left.compactMap { left in
            let call = CutShortCall(left)
            if call == nil {
                unreadable += 1
                file.forget(left.place)
            }
            return call
        }
        return (
            calls.sorted { ($0.isTold ? 0 : 1, $0.left.ends) < ($1.isTold ? 0 : 1, $1.left.ends) }, unreadable
        )
    }
}
