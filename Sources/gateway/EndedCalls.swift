import EventLog
import FinOps
import Spool

/// The record of a call that has ended, and its place among those under way, where it is written down.
struct EndedCall: Sendable {
    let event: NewEvent
    let stream: StreamName
    let call: WireCallRecorded
    let place: Int
}

/// Keeps records of calls in batches, beside the event loops: a write to a file waits for the disk now and then, and with it
/// would wait all calls of the loop that makes it. Until a record is in the spool, the next run finds it among the calls under
/// way, so that a kill loses none.
final class EndedCalls: Sendable {
    /// How long a record waits for others, and how many wait at most.
    private static let (pause, limit) = (Duration.milliseconds(1), 4_096)
    /// Go into the spool with one write.
    private static let recordsAtOnce = 256

    private let keeper: UsageKeeper
    private let underWay: CallsUnderWay
    private let gathering: Gathering<EndedCall>

    /// - Throws: `SpoolFailure` when the system has no thread left.
    init(_ keeper: UsageKeeper, _ underWay: CallsUnderWay) throws(SpoolFailure) {
        self.keeper = keeper
        self.underWay = underWay
        gathering = try Gathering(pause: Self.pause, limit: Self.limit, for: keeper.spool.directory) { calls in
            for first in stride(from: 0, to: calls.count, by: Self.recordsAtOnce) {
                keeper.keep(calls[first..<min(first + Self.recordsAtOnce, calls.count)])
            }
        }
    }

    /// When this returns, the record survives the end of the program, unless the disk takes nothing and there is no place.
    /// - Parameter place: where the call is written down as under way; nil if it is not.
    func keep(_ event: NewEvent, in stream: StreamName, of call: WireCallRecorded, place: Int?) {
        guard let old = place, !keeper.keepsAtOnce, let place = underWay.end(old, as: event) else {
            keeper.keep(event, in: stream, of: call, place: place)
            return
        }
        gathering.add(EndedCall(event: event, stream: stream, call: call, place: place))
    }

    /// Everything that ended is in the spool, or waits there where it can, when this returns.
    func close() { gathering.close() }
}
