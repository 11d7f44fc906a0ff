import EventLog
import FinOps
import Synchronization

/// What the log is asked to take so that calls may begin, and the calls that wait for its answer.
final class LogRequests: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]>([])
    let (asked, ask) = AsyncStream.makeStream(of: [LogRequest].self, bufferingPolicy: .bufferingOldest(4_096))

    /// - Returns: whether there was room; if not, nothing is asked.
    func submit(_ requests: [LogRequest]) -> Bool {
        if case .enqueued = ask.yield(requests) { return true }
        return false
    }

    /// - Parameter again: called once, when the log has said something.
    func wait(_ again: @escaping @Sendable () -> Void) { waiting.withLock { $0.append(again) } }

    /// Lets those who wait ask again.
    func wake() {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for again in all { again() }
    }
}

/// One of them.
enum LogRequest: Sendable {
    case lease(LeaseRequest)
    case join(KeyPaceJoining)
    case give(KeyPaceGift)

    func append(occurred: Timestamp) -> StreamAppend {
        switch self {
        case .lease(let request):
            let event = FinOpsEvent.budgetLeased(request.event).newEvent(in: request.stream, occurred: occurred)
            return StreamAppend(request.stream, expected: .exactly(request.expected), [event])
        case .join(let joining):
            let event = FinOpsEvent.keyPaceJoined(joining.event).newEvent(in: joining.stream, occurred: occurred)
            return StreamAppend(joining.stream, expected: .any, [event])
        case .give(let gift):
            let event = FinOpsEvent.keyPaceGiven(gift.event).newEvent(in: gift.stream, occurred: occurred)
            return StreamAppend(gift.stream, expected: .any, [event])
        }
    }
}
