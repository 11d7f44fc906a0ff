package import EventLog
import Synchronization

/// A clock that goes on by a second whenever it is looked at, and can be set.
package final class TickingClock: Sendable {
    private let seconds: Mutex<Int64>

    package init(startingAt seconds: Int64 = 1_800_000_000) { self.seconds = Mutex(seconds) }

    package var now: @Sendable () -> Timestamp {
        { [self] in
            seconds.withLock {
                $0 += 1
                return Timestamp(seconds: $0)
            }
        }
    }

    package func set(to value: Int64) { seconds.withLock { $0 = value } }
}
