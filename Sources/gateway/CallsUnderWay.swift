import EventLog
import FinOps
import Metering
import Spool
import Synchronization

/// The calls of this gateway that are under way, written down so that the next run can record one that a kill cuts short.
final class CallsUnderWay: Sendable {
    private struct State {
        var file: UnderWayFile?
        /// Why there is none.
        var failure: SpoolFailure?
    }

    private let path: String
    private let gateway: String
    /// How long after its start a call may cost its bound.
    private let seconds: Int64
    private let state = Mutex(State())
    private let unwrittenCalls = Atomic(0)

    init(directory: String, gateway: String, seconds: Int64) {
        path = directory + "/under-way"
        self.gateway = gateway
        self.seconds = seconds
    }

    /// Opens the file; said again as long as there is a `failure`.
    /// - Parameter now: Unix seconds.
    func open(now: Int64) {
        state.withLock { state in
            guard state.file == nil else { return }
            do throws(SpoolFailure) {
                state.file = try UnderWayFile(path, now: now)
                state.failure = nil
            } catch {
                state.failure = error
            }
        }
    }

    /// Why nothing is written down; nil while all is well.
    var failure: SpoolFailure? { state.withLock { $0.failure } }
    /// Calls that a kill would have lost: there was no room for them.
    var unwritten: Int { unwrittenCalls.load(ordering: .relaxed) }
    private var file: UnderWayFile? { state.withLock { $0.file } }

    /// Before an attempt goes to its upstream.
    /// - Parameters:
    ///   - begun: all that is known of it by then, `MeterReading.useOfRequest` included, and a bound if its answer is made later.
    ///   - bound: nano-units that it can cost at most.
    /// - Returns: its place; nil where there is no room for it.
    func add(_ begun: WireCallRecorded, bound: Int64) -> Int? {
        var call = FinOpsEvent.callRecorded(begun).payload
        if call.count > UnderWayFile.callBytes {
            // What callers say may be longer than a place.
            var short = begun
            short.context.metadata = [:]
            call = FinOpsEvent.callRecorded(short).payload
        }
        let now = begun.started / 1_000_000
        let place = file?.add(call, bound: bound, ends: now + seconds, now: now)
        if place == nil { unwrittenCalls.add(1, ordering: .relaxed) }
        return place
    }

    /// When more is known of an attempt that is under way.
    /// - Returns: its place from now on. A kill between may leave the old one, too, which is of the same attempt.
    func replace(_ old: Int?, with event: WireCallRecorded, bound: Int64) -> Int? {
        guard let place = add(event, bound: bound) else { return old }
        forget(old)
        return place
    }

    /// When an attempt has ended, and its record cannot be kept.
    /// - Parameter record: whole.
    /// - Returns: its place from now on, where the next run finds the record; nil if it had none.
    func replace(_ old: Int?, with record: NewEvent) -> Int? {
        guard let old, let place = file?.add(record.payload, bound: 0, ends: 0, now: record.occurred.seconds) else {
            return old
        }
        forget(old)
        return place
    }

    func note(_ progress: UnderWayFile.Progress, at place: Int?) {
        if let place { file?.note(progress, at: place) }
    }

    /// Its record is kept.
    func end(_ place: Int?) {
        if let place { file?.end(place) }
    }

    /// Nothing need be known of it any more.
    func forget(_ place: Int?) {
        if let place { file?.forget(place) }
    }

    // MARK: What earlier runs left

    /// What earlier runs let through and never heard the end of. What was told comes first, should a kill have left both;
    /// of the others the first whose reservation ends.
    /// - Returns: those that can be read; what cannot is given up and counted.
    func cutShort() -> (calls: [CutShortCall], unreadable: Int) {
        guard let file else { return ([], 0) }
        var unreadable = file.unreadable
        let calls = file.left.compactMap { left -> CutShortCall? in
            // A folder that was copied from another gateway holds that one's calls.
            if let call = CutShortCall(left), call.event.gateway == gateway { return call }
            unreadable += 1
            file.forget(left.place)
            return nil
        }
        return (
            calls.sorted { ($0.isTold ? 0 : 1, $0.left.ends) < ($1.isTold ? 0 : 1, $1.left.ends) }, unreadable
        )
    }

    /// The record of a call that is left is about to be kept.
    func beginRecording(_ place: Int) { file?.beginRecording(place) }

    /// Calls that are recorded and may cost more, as one for each project, quarter of an hour and minute in which that is over:
    /// so that many kills do not take up all places.
    func fold(_ calls: [(event: WireCallRecorded, rest: Int64, ends: Int64, place: Int)], now: Int64) {
        struct Group: Hashable {
            let project: String
            let slot: Int64
            let minute: Int64
        }
        let groups = Dictionary(grouping: calls) {
            Group(project: $0.event.project, slot: $0.event.started / 900_000_000, minute: $0.ends / 60)
        }
        for same in groups.values where same.count > 1 {
            var standing = same[0].event
            standing.clearContext()
            // What has an end costs no more.
            standing.ended = ""
            let rest = same.reduce(Int64(0)) { $0.addingReportingOverflow($1.rest).partialValue }
            let ends = same.map(\.ends).max() ?? now
            let bytes = FinOpsEvent.callRecorded(standing).payload
            guard file?.setAside(bytes, bound: max(0, rest), ends: ends, now: now) != nil else { return }
            for call in same { forget(call.place) }
        }
    }
}
