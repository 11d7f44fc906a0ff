import Synchronization

/// How far the gateway is: whether it may serve by what it knows, whether that is all that the log knew at the start, whether
/// it has counted what earlier runs left, and whether it serves.
final class Readiness: Sendable {
    /// Under one lock: whoever makes the second of them true must see the first.
    private struct Start {
        var isCurrent = false
        var hasSettled = false
    }

    private let start = Mutex(Start())
    private let isKnown = Atomic(false)
    private let serving = Atomic(false)
    private let unread = Atomic(0)
    private let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let (settlements, settlement) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Enough is known, by the log or by what was written down of it.
    func mayServe() {
        if !isKnown.exchange(true, ordering: .relaxed) { signal.yield() }
    }

    /// - Returns: when `mayServe` was said; false if it was cancelled first.
    func untilItMayServe() async -> Bool {
        for await _ in signals { return true }
        return false
    }

    /// All is known that the log held when it was first heard of: without the log a gateway may serve earlier than that.
    /// - Returns: whether that and `settles` are both said, this being the first time of this one.
    func becomesCurrent() -> Bool {
        start.withLock { start in
            defer { start.isCurrent = true }
            return !start.isCurrent && start.hasSettled
        }
    }

    /// What earlier runs have kept is counted.
    /// - Returns: whether `becomesCurrent` was said already.
    func settles() -> Bool {
        defer { settlement.yield() }
        return start.withLock { start in
            start.hasSettled = true
            return start.isCurrent
        }
    }

    /// - Returns: when `settles` was said; false if it was cancelled first.
    func untilSettled() async -> Bool {
        for await _ in settlements { return true }
        return false
    }

    /// Events that were passed over: what they say of keys and limits is not in force here.
    var unreadable: Int {
        get { unread.load(ordering: .relaxed) }
        set { unread.store(newValue, ordering: .relaxed) }
    }

    func serves(_ isSo: Bool = true) { serving.store(isSo, ordering: .relaxed) }
    var isServing: Bool { serving.load(ordering: .relaxed) }
}
