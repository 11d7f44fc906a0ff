import EventLog
import FinOps
import Synchronization

/// What the log is asked to take so that calls may begin, and the calls that wait for its answer.
final class LogRequests: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]>([])
    private let queue = Mutex<[[LogRequest]]>([])
    /// Something was asked for.
    let (asked, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private static let most = 4_096
    /// Words about paces in one request.
    private static let together = 256

    /// - Returns: whether there was room; if not, nothing is asked.
    func submit(_ requests: [LogRequest]) -> Bool {
        let hasRoom = queue.withLock { queue in
            guard queue.count < Self.most else { return false }
            queue.append(requests)
            return true
        }
        if hasRoom { signal.yield() }
        return hasRoom
    }

    /// What is to be appended next, all in one request: parts of limits as they were asked for, of which the log may refuse
    /// one, or the words about paces that have gathered, of which it refuses none.
    func next() -> [LogRequest]? {
        queue.withLock { queue in
            guard let first = queue.first else { return nil }
            guard first.allSatisfy(\.isAboutPace) else { return queue.removeFirst() }
            var all: [LogRequest] = []
            queue.removeAll { requests in
                guard all.count < Self.together, requests.allSatisfy(\.isAboutPace) else { return false }
                all += requests
                return true
            }
            return all
        }
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

    var isAboutPace: Bool {
        if case .lease = self { false } else { true }
    }

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
