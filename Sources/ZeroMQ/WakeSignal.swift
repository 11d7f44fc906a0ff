import CZeroMQ
import Glibc
import Synchronization

/// Wakes a thread that waits in a `Poller`, from any other thread. Signals before the next `clear` count once.
package final class WakeSignal: Sendable {
    let descriptor: Int32
    private let isSet = Atomic(false)

    package init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        precondition(descriptor >= 0, "no file descriptor left for an eventfd")
    }

    deinit { close(descriptor) }

    /// Wakes the poller; from any thread.
    package func signal() {
        guard !isSet.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the thread is awake anyway.
        _ = write(descriptor, &one, 8)
    }

    /// Call before looking at what the signal announced, so that what comes after is signalled again.
    package func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        isSet.store(false, ordering: .sequentiallyConsistent)
    }
}
