import Synchronization

/// How far the gateway is: whether it knows what the log knows, and whether it serves.
final class Readiness: Sendable {
    private let isKnown = Atomic(false)
    private let current = Atomic(false)
    private let serving = Atomic(false)
    private let hasSettled = Atomic(false)
    private let unread = Atomic(0)
    private let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let (settlements, settlement) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    func knows() {
        if !isKnown.exchange(true, ordering: .relaxed) { signal.yield() }
    }

    /// All is known that the log held when it was first heard of: without the log a gateway may serve earlier than that.
    var isCurrent: Bool {
        get { current.load(ordering: .sequentiallyConsistent) }
        set { current.store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// - Returns: false if it was cancelled first.
    func known() async -> Bool {
        for await _ in signals { return true }
        return false
    }

    /// What earlier runs have kept is counted.
    func settles() {
        hasSettled.store(true, ordering: .sequentiallyConsistent)
        settlement.yield()
    }
    var isSettled: Bool { hasSettled.load(ordering: .sequentiallyConsistent) }

    /// - Returns: false if it was cancelled first.
    func settled() async -> Bool {
        for await _ in settlements { return true }
        return false
    }

    /// Events that were passed over: what they say of keys and limits is not in force here.
    var unreadable: Int {
        get { unread.load(ordering: .relaxed) }
        set { unread.store(newValue, ordering: .relaxed) }
    }

    func serves() { serving.store(true, ordering: .relaxed) }
    var isServing: Bool { serving.load(ordering: .relaxed) }
}
