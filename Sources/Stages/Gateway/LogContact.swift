package import EventLog
import Synchronization

/// Since when a gateway may have missed something: the last moment of which it knows all that the log knew.
package final class LogContact: Sendable {
    private struct State {
        /// Monotonic; in the past also for what an earlier run of the program knew.
        var last: ContinuousClock.Instant
        /// A head that was asked for at a moment, until everything up to it has been handled.
        var asked: (at: ContinuousClock.Instant, head: Position)?
        var handled = Position.start
        var isProven = false
    }

    private let state: Mutex<State>

    package init(now: ContinuousClock.Instant = .now) { state = Mutex(State(last: now)) }

    /// How long ago that was.
    package func age(at now: ContinuousClock.Instant = .now) -> Duration { now - state.withLock { $0.last } }

    /// Whether the log was heard of since the program started.
    package var isProven: Bool { state.withLock { $0.isProven } }

    /// It was that long ago when the program started.
    func wasOld(_ age: Duration, at now: ContinuousClock.Instant) {
        state.withLock { if !$0.isProven { $0.last = min($0.last, now - age) } }
    }

    /// The log answered a question asked at `moment` that it ended at `head`.
    package func heard(_ head: Position, asked moment: ContinuousClock.Instant) {
        state.withLock { state in
            // An older question that is still open would be answered later than this one.
            if state.asked == nil || state.handled >= head { state.asked = (moment, head) }
            Self.settle(&state)
        }
    }

    /// Everything up to here is in force.
    package func handled(_ position: Position) {
        state.withLock { state in
            state.handled = max(state.handled, position)
            Self.settle(&state)
        }
    }

    private static func settle(_ state: inout State) {
        guard let asked = state.asked, state.handled >= asked.head else { return }
        state.last = max(state.last, asked.at)
        state.isProven = true
        state.asked = nil
    }
}
