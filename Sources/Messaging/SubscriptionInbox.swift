import EventLog
import Synchronization
import ZeroMQ

/// What arrived for one subscriber and waits for it. Bounded: when it is full the oldest goes, since what is missing at
/// the front is read from the log in one piece, while the newest joins up with what will arrive.
struct CommitBuffer {
    private let limitBytes: Int
    private var commits: [PublishedCommit?] = []
    private var first = 0
    private var bytes = 0
    private(set) var head = Position.start

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// - Returns: how many commits had to go.
    mutating func add(_ publication: Publication) -> Int {
        switch publication {
        case .heartbeat(let told):
            head = max(head, told)
            return 0
        case .commit(let commit):
            head = max(head, commit.last)
            bytes += commit.frame.count
            commits.append(commit)
            var dropped = 0
            while bytes > limitBytes, first < commits.count - 1 {
                _ = take()
                dropped += 1
            }
            return dropped
        }
    }

    mutating func take() -> PublishedCommit? {
        guard first < commits.count else { return nil }
        let commit = commits[first]
        commits[first] = nil
        first += 1
        bytes -= commit?.frame.count ?? 0
        if first == commits.count || first >= 1_024 {
            commits.removeFirst(first)
            first = 0
        }
        return commit
    }
}

/// What passes between the thread that listens and the subscriber that pulls.
final class SubscriptionInbox: Sendable {
    private struct State {
        var buffer: CommitBuffer
        var hasNews = false
        var ending: StoreError?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    let wake = WakeSignal()

    init(limitBytes: Int) { state = Mutex(State(buffer: CommitBuffer(limitBytes: limitBytes))) }

    func add(_ publication: Publication) -> Int {
        let (dropped, waiter) = state.withLock { state in
            let dropped = state.buffer.add(publication)
            state.hasNews = true
            return (dropped, state.waiter.take())
        }
        waiter?.resume()
        return dropped
    }

    var head: Position { state.withLock { $0.buffer.head } }

    func take() -> PublishedCommit? { state.withLock { $0.buffer.take() } }

    /// Why nothing arrives any more; nil while it is open.
    var ending: StoreError? { state.withLock { $0.ending } }

    /// Returns when something arrived since the last call, the inbox is closed, or the caller is cancelled.
    func waitForNews() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    let isReady = state.hasNews || state.ending != nil || Task.isCancelled
                    state.hasNews = false
                    if !isReady { state.waiter = continuation }
                    return isReady
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume()
        }
    }

    /// Ends the thread that listens; the subscriber is told why.
    func close(_ ending: StoreError = .failed(.closed)) {
        let waiter = state.withLock { state in
            state.ending = state.ending ?? ending
            return state.waiter.take()
        }
        waiter?.resume()
        wake.signal()
    }
}
