import Glibc
import Synchronization

/// Takes items from threads that may not wait, and hands them on in batches, on a thread of its own.
package final class Gathering<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var isClosed = false
    }

    private let pause: Duration
    private let limit: Int
    private let hand: @Sendable ([Item]) -> Void
    private let state = Mutex(State())
    /// One batch at a time.
    private let handing = Mutex(())
    private let bell = SyncBell()

    /// - Parameters:
    ///   - pause: how long the first item of a batch waits for others.
    ///   - limit: so many items are not left waiting: who adds more takes part in handing them on.
    ///   - path: what the items are for, named where there is no thread left.
    ///   - hand: called with one batch at a time, in the order in which items came.
    /// - Throws: `SpoolFailure` when the system has no thread left.
    package init(
        pause: Duration, limit: Int, for path: String, _ hand: @escaping @Sendable ([Item]) -> Void
    ) throws(SpoolFailure) {
        self.pause = pause
        self.limit = limit
        self.hand = hand
        try SpoolThread.start(path) { self.run() }
    }

    /// Once it is closed, the item is handed on before this returns.
    package func add(_ item: Item) {
        let (count, isClosed) = state.withLock { state in
            state.items.append(item)
            return (state.items.count, state.isClosed)
        }
        if isClosed || count >= limit { flush() } else if count == 1 { bell.ring() }
    }

    /// Everything that was added has been handed on when this returns.
    package func flush() {
        handing.withLock { _ in
            // Room for as many again, made while nobody waits for it.
            var items: [Item] = []
            items.reserveCapacity(64)
            state.withLock { swap(&$0.items, &items) }
            if !items.isEmpty { hand(items) }
        }
    }

    /// Hands on what waits and ends the thread.
    package func close() {
        state.withLock { $0.isClosed = true }
        bell.ring()
        flush()
    }

    private func run() {
        while true {
            bell.wait()
            if state.withLock({ $0.isClosed }) { return }
            usleep(UInt32(pause / .microseconds(1)))
            flush()
        }
    }
}
