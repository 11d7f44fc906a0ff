import EventLog
import FinOps
import Logging
import Spool
import Synchronization

/// Keeps what calls used, and knows what is to be done when it cannot be kept.
final class UsageKeeper: Sendable {
    private struct State {
        /// In the order in which they happened.
        var unkept: [(event: NewEvent, stream: StreamName, place: Int?)] = []
        var lost = 0
        var failure: SpoolFailure?
    }

    /// What is held in memory while the disk takes nothing, beside what the next run would find.
    private static let unkeptLimit = 20_000

    let spool: Spool
    private let underWay: CallsUnderWay
    let closesWhenFull: Bool
    private let logger: Logger
    private let state = Mutex(State())
    /// Whether the order matters, because something waits in memory; else nobody waits here for the others.
    private let isHolding = Atomic(false)

    /// - Parameter closesWhenFull: refuse calls rather than let one pass whose use may be lost.
    init(_ spool: Spool, _ underWay: CallsUnderWay, closesWhenFull: Bool, logger: Logger) {
        self.spool = spool
        self.underWay = underWay
        self.closesWhenFull = closesWhenFull
        self.logger = logger
    }

    /// What becomes of calls whose use cannot be kept, as a person may read it.
    var policy: String {
        closesWhenFull
            ? "no call is let through (gateway_spool_full: fail-closed)"
            : "calls go on, and what they use waits in memory (gateway_spool_full: fail-open)"
    }
    /// Whether calls are refused now.
    var refusesCalls: Bool { closesWhenFull && failure != nil }
    /// Why nothing can be kept; nil while all is well.
    var failure: SpoolFailure? { state.withLock { $0.failure } }
    /// Records of which there was no room even in memory.
    var lost: Int { state.withLock { $0.lost } }

    /// - Parameters:
    ///   - call: what the event says, if it is of a call.
    ///   - place: where that is written down as under way until this is kept.
    /// - Returns: whether it is kept; else it waits in memory, and in its place for the next run.
    @discardableResult
    func keep(
        _ event: NewEvent, in stream: StreamName, of call: WireCallRecorded? = nil, place: Int? = nil
    ) -> Bool {
        if isHolding.load(ordering: .acquiring) {
            let isHeld = state.withLock { state in
                if !state.unkept.isEmpty { hold(event, stream, call, place, &state) }
                return !state.unkept.isEmpty
            }
            if isHeld { return false }
        }
        do throws(SpoolFailure) {
            try spool.append(event, to: stream)
            underWay.end(place)
            return true
        } catch {
            logger.error("use cannot be kept", metadata: ["error": "\(error)"])
            state.withLock { state in
                state.failure = error
                hold(event, stream, call, place, &state)
                isHolding.store(true, ordering: .releasing)
            }
            return false
        }
    }

    /// Whether a record has to be kept before the call's answer ends, because it may turn out that it cannot.
    var keepsAtOnce: Bool { closesWhenFull || isHolding.load(ordering: .acquiring) }

    /// Of calls whose records are written down where they were under way: with one write, or each as it can be.
    func keep(_ calls: ArraySlice<EndedCall>) {
        if !keepsAtOnce {
            do throws(SpoolFailure) {
                try spool.append(calls.map { SpoolEntry(event: $0.event, stream: $0.stream) })
                for call in calls { underWay.end(call.place) }
                return
            } catch {
                logger.debug("records cannot be kept together", metadata: ["error": "\(error)"])
            }
        }
        for call in calls { keep(call.event, in: call.stream, of: call.call, place: call.place) }
    }

    private func hold(
        _ event: NewEvent, _ stream: StreamName, _ call: WireCallRecorded?, _ place: Int?, _ state: inout State
    ) {
        let place = call.flatMap { underWay.replace(place, with: $0) }
        if state.unkept.count < Self.unkeptLimit || place != nil {
            state.unkept.append((event, stream, place))
        } else {
            state.lost += 1
        }
    }

    /// How many records wait in memory: those that the next run finds, and those that are lost when the program ends now.
    var waiting: (found: Int, lost: Int) {
        state.withLock { state in
            let lost = state.unkept.count { $0.place == nil }
            return (state.unkept.count - lost, lost)
        }
    }

    /// Once a second: what could not be kept then, perhaps can now.
    func tryAgain() async {
        if spool.status.failure?.kind == .readOnly {
            do throws(SpoolFailure) { try await spool.mend() } catch {
                logger.debug("the spool cannot be mended yet", metadata: ["error": "\(error)"])
            }
        }
        keepWhatWaits()
    }

    private func keepWhatWaits() {
        state.withLock { state in
            guard state.failure != nil else { return }
            var kept = 0
            do throws(SpoolFailure) {
                for (event, stream, place) in state.unkept {
                    try spool.append(event, to: stream)
                    underWay.end(place)
                    kept += 1
                }
                state.failure = nil
                logger.notice("use can be kept again", metadata: ["kept": "\(kept)", "lost": "\(state.lost)"])
            } catch {
                state.failure = error
            }
            state.unkept.removeFirst(kept)
            isHolding.store(!state.unkept.isEmpty, ordering: .releasing)
        }
    }
}
