import EventLog
import FinOps
import Stages

/// When calls begin, and their ids. No two of a gateway begin in the same microsecond: a caller may give several the same
/// name, and they are told apart by when they began.
struct Beginnings {
    private var random = RandomWords()
    private var last = Timestamp(microseconds: 0)
    /// A clock that is set back further than this is followed.
    private static let furthest: Int64 = 1_000_000

    mutating func next(at now: Timestamp) -> (started: Timestamp, id: EventID) {
        let ahead = last.microseconds - now.microseconds
        last = (0..<Self.furthest).contains(ahead) ? Timestamp(microseconds: last.microseconds + 1) : now
        return (last, id(at: last))
    }

    mutating func id(at started: Timestamp) -> EventID { EventID.v7(at: started, using: &random) }
}
