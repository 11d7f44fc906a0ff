import Synchronization

/// Which call it is, from 1.
final class Counter: Sendable {
    private let calls = Mutex(0)

    func next() -> Int {
        calls.withLock { calls in
            calls += 1
            return calls
        }
    }
}
