package import EventLog
package import JSON
import Synchronization

/// How far a reactor is.
package struct ReactorProgress: Hashable, Sendable {
    /// Everything up to here has been handled; what was to be said about it is in the log.
    package var checkpoint: Position
    /// The log's head as far as known.
    package var head: Position
    /// Events that were put aside.
    package var parked: Int

    package init(checkpoint: Position, head: Position, parked: Int) {
        self.checkpoint = checkpoint
        self.head = head
        self.parked = parked
    }

    /// What `catch-up --json` prints.
    package var json: JSONValue {
        [
            "position": .integer(checkpoint.value), "head": .integer(head.value), "parked": .integer(parked),
        ]
    }
}

/// The progress that was told last, for a program that says at its end how far it came.
package final class LatestProgress: Sendable {
    private let latest = Mutex(ReactorProgress(checkpoint: .start, head: .start, parked: 0))

    package init() {}

    package var value: ReactorProgress { latest.withLock { $0 } }

    package func set(_ progress: ReactorProgress) { latest.withLock { $0 = progress } }
}
