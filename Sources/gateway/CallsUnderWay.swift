import EventLog
import FinOps
import Metering
import Spool
import Synchronization

/// The calls of this gateway that are under way, and records that cannot be kept yet, written down so that the next run can
/// record them if this one is killed.
final class CallsUnderWay: Sendable {
    private struct State {
        var file: UnderWayFile?
        /// Why there is none.
        var failure: SpoolFailure?
    }

    private let directory: String
    private let gateway: String
    /// How long after its start a call may cost its bound.
    private let seconds: Int64
    private let state = Mutex(State())
    private let unwrittenCalls = Atomic(0)

    init(directory: String, gateway: String, seconds: Int64) {
        self.directory = directory
        self.gateway = gateway
        self.seconds = seconds
    }

    /// Opens the file; said again as long as there is a `failure`.
    /// - Parameter now: Unix seconds.
    func open(now: Int64) {
        state.withLock { state in
            guard state.file == nil else { return }
            do throws(SpoolFailure) {
                state.file = try UnderWayFile(directory + "/under-way", now: now)
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
    /// The file was made by this run, so that nothing is known of what earlier ones left under way.
    var isNew: Bool { file?.isNew ?? false }
    private var file: UnderWayFile? { state.withLock { $0.file } }

    /// Before an attempt goes to its upstream.
    /// - Parameters:
    ///   - begun: all that is known of it by then, `MeterReading.useOfRequest` included, and a bound if its answer is made later.
    ///   - bound: nano-units that it can cost at most.
    /// - Returns: its place; nil where there is no room for it.
    func add(_ begun: WireCallRecorded, bound: Int64) -> Int? {
        let place = write(begun, bound: bound, UnderWayFile.Progress())
        if place == nil { unwrittenCalls.add(1, ordering: .relaxed) }
        return place
    }

    /// When more is known of an attempt that is under way, or it has ended and its record cannot be kept yet: then the next
    /// run finds the record, as far as there is room for both.
    /// - Parameter bound: nano-units that it can cost at most, beyond its record if this is one.
    /// - Returns: its place from now on. A kill between may leave the old one, too, which is of the same attempt.
    func replace(
        _ old: Int?, with event: WireCallRecorded, bound: Int64 = 0, _ progress: UnderWayFile.Progress = .init()
    ) -> Int? {
        // What an earlier run left is recorded from what is there.
        if let old, file?.isLeft(old) == true { return old }
        guard let place = write(event, bound: bound, progress) else { return old }
        forget(old)
        return place
    }

    private func write(_ event: WireCallRecorded, bound: Int64, _ progress: UnderWayFile.Progress) -> Int? {
        let now = event.started / 1_000_000
        return file?.add(Self.encoded(event), bound: bound, ends: now + seconds, progress: progress, now: now)
    }

    private static func encoded(_ event: WireCallRecorded) -> [UInt8] {
        let whole = FinOpsEvent.callRecorded(event).payload
        if whole.count <= UnderWayFile.callBytes { return whole }
        // What callers say may be longer than a place.
        var short = event
        short.context.metadata = [:]
        return FinOpsEvent.callRecorded(short).payload
    }

    func note(_ progress: UnderWayFile.Progress, at place: Int?) {
        if let place { file?.note(progress, at: place) }
    }

    /// A call of this run has ended, and its record is about to be kept: until then the next run finds it.
    /// - Returns: its place from now on; nil where there is no room for the record.
    func end(_ old: Int, as record: NewEvent) -> Int? {
        let now = record.occurred.seconds
        let place = file?.add(record.payload, bound: 0, ends: now + seconds, now: now)
        if place != nil { forget(old) }
        return place
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
    /// - Throws: `ForeignSpool` if any is of another gateway, whose folder this was, or was copied from.
    func cutShort() throws(ForeignSpool) -> (calls: [CutShortCall], unreadable: Int) {
        guard let file else { return ([], 0) }
        let read = file.left.map { ($0, CutShortCall($0)) }
        if let owner = read.compactMap(\.1?.gateway).first(where: { $0 != gateway }) {
            throw ForeignSpool(directory: directory, owner: owner)
        }
        for (left, call) in read where call == nil { file.forget(left.place) }
        let calls = read.compactMap(\.1).sorted {
            ($0.form == .begun ? 1 : 0, $0.left.ends) < ($1.form == .begun ? 1 : 0, $1.left.ends)
        }
        return (calls, file.unreadable + read.count - calls.count)
    }

    /// The record of a call that is left is about to be kept.
    /// - Parameter rest: nano-units that it may cost beyond that.
    /// - Returns: its place from now on.
    func beginRecording(_ call: CutShortCall, as record: WireCallRecorded, rest: Int64, now: Int64) -> Int {
        let (old, ends) = (call.left.place, call.left.ends)
        let bytes = Self.encoded(record)
        guard let place = file?.addRecord(bytes, rest: rest, ends: ends, isKept: false, now: now) else {
            file?.beginRecording(old)
            return old
        }
        forget(old)
        return place
    }

    /// A call that is recorded and may cost more.
    struct Held {
        let record: WireCallRecorded
        /// Nano-units beyond its record.
        let rest: Int64
        /// Unix seconds.
        let ends: Int64
        let place: Int
    }

    /// Calls that are recorded and may cost more, as one for each project, quarter of an hour and minute in which that is over:
    /// so that many kills do not take up all places.
    func fold(_ calls: [Held], now: Int64) {
        struct Group: Hashable {
            let project: String
            let slot: Int64
            let minute: Int64
        }
        let groups = Dictionary(grouping: calls) {
            Group(project: $0.record.project, slot: $0.record.started / 900_000_000, minute: $0.ends / 60)
        }
        for same in groups.values where same.count > 1 {
            var standing = same[0].record
            standing.clearContext()
            let rest = Int64(clamping: same.reduce(Int128(0)) { $0 + Int128($1.rest) })
            let (ends, bytes) = (same.map(\.ends).max() ?? now, Self.encoded(standing))
            guard file?.addRecord(bytes, rest: rest, ends: ends, isKept: true, now: now) != nil else { return }
            for call in same { forget(call.place) }
        }
    }
}
