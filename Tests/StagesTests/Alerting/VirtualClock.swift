import EventLog
import Synchronization

/// A clock that goes on when it is told to, to the next moment that somebody waits for.
final class VirtualClock: Sendable {
    private struct Sleeper {
        let until: Int64
        let wake: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Int64
        var last: Int64 = 0
        var nextSleeper = 0
        var sleepers: [Int: Sleeper] = [:]
        /// Cancelled before they slept.
        var cancelled: Set<Int> = []
    }

    private let state: Mutex<State>

    init(startingAt seconds: Int64) { state = Mutex(State(now: seconds * 1_000_000)) }

    var now: Timestamp { state.withLock { Timestamp(microseconds: $0.now) } }

    /// A time that nobody else gets: what the log stamps.
    func stamp() -> Timestamp {
        state.withLock { state in
            state.last = max(state.last + 1, state.now)
            return Timestamp(microseconds: state.last)
        }
    }

    func sleep(for duration: Duration) async throws {
        let (seconds, attoseconds) = duration.components
        try await sleep(
            until: Timestamp(microseconds: now.microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }

    func sleep(until moment: Timestamp) async throws {
        let number = state.withLock { state in
            state.nextSleeper += 1
            return state.nextSleeper
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wake in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled.remove(number) != nil { return .failure(CancellationError()) }
                    if moment.microseconds <= state.now { return .success(()) }
                    state.sleepers[number] = Sleeper(until: moment.microseconds, wake: wake)
                    return nil
                }
                if let outcome { wake.resume(with: outcome) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: number)
                if sleeper == nil { state.cancelled.insert(number) }
                return sleeper
            }
            sleeper?.wake.resume(throwing: CancellationError())
        }
    }

    /// Goes on to the next moment that somebody waits for.
    /// - Parameter seconds: at most so far.
    func advance(atMost seconds: Int64) {
        let due = state.withLock { state in
            let limit = state.now + seconds * 1_000_000
            state.now = min(limit, state.sleepers.values.map(\.until).min() ?? limit)
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for number in due.keys { state.sleepers[number] = nil }
            return due.sorted { $0.key < $1.key }.map(\.value)
        }
        for sleeper in due { sleeper.wake.resume() }
    }
}
