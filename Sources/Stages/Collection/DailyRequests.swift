import FinOps
import Synchronization

/// Wakes the collection loop when somebody outside asks for a day's run before the schedule does. What is asked for stays
/// asked: the loop tries until it has finished.
package final class DailyRequests: Sendable {
    private struct State {
        var date: Day?
        var isNew = false
        var bell: AsyncStream<Never>.Continuation?
    }

    private let state = Mutex(State())

    package init() {}

    /// - Returns: whether it was not asked for already.
    @discardableResult
    func ask(for date: Day) -> Bool {
        state.withLock { state in
            guard state.date != date else { return false }
            (state.date, state.isNew) = (date, true)
            state.bell?.finish()
            state.bell = nil
            return true
        }
    }

    /// The date that was asked for last; the loop has seen it then.
    func take() -> Day? {
        state.withLock { state in
            state.isNew = false
            return state.date
        }
    }

    /// Returns when there is a request that the loop has not seen, or when the task is cancelled.
    func untilAsked() async {
        let (bell, continuation) = AsyncStream.makeStream(of: Never.self)
        state.withLock { state in
            if state.isNew { continuation.finish() } else { state.bell = continuation }
        }
        for await _ in bell {}
    }
}
