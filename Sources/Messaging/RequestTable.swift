import EventLog

/// Requests that have no reply yet: what to send, what to send again, what to give up. Pure: time comes in.
///
/// A request is sent again, byte for byte, when the connection came back or an attempt took too long. An append may be
/// repeated, since its sequence names it. A session may not: only the reply to the newest attempt counts, because each
/// attempt opens an epoch and fences the one before.
struct RequestTable<Waiter> {
    private struct Entry {
        var frame: [UInt8]
        var waiter: Waiter
        var needsNewest: Bool
        var deadline: Int64
        var attempt: UInt8 = 0
        var pause: Int64
        /// When the attempt on its way is given up; nil while it waits to be sent.
        var retryAt: Int64?
    }

    private let attemptMilliseconds: Int64
    private let deadlineMilliseconds: Int64
    private var entries: [UInt64: Entry] = [:]
    private var unsent: [UInt64] = []
    private var nextID: UInt64 = 1

    init(attemptMilliseconds: Int64, deadlineMilliseconds: Int64) {
        self.attemptMilliseconds = attemptMilliseconds
        self.deadlineMilliseconds = deadlineMilliseconds
    }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    mutating func add(_ frame: [UInt8], needsNewest: Bool, waiter: Waiter, now: Int64) {
        entries[nextID] = Entry(
            frame: frame, waiter: waiter, needsNewest: needsNewest, deadline: now + deadlineMilliseconds,
            pause: attemptMilliseconds)
        unsent.append(nextID)
        nextID += 1
    }

    /// The oldest request that waits to be sent; it stays first until `sentFirst`.
    mutating func firstToSend() -> [UInt8]? {
        while let id = unsent.first {
            if var frame = entries[id]?.frame {
                frame.setCorrelation(id << 8 | UInt64(entries[id]?.attempt ?? 0))
                return frame
            }
            unsent.removeFirst()
        }
        return nil
    }

    mutating func sentFirst(now: Int64) {
        let id = unsent.removeFirst()
        guard let pause = entries[id]?.pause else { return }
        entries[id]?.retryAt = now + pause
        entries[id]?.pause = pause * 2
    }

    /// - Returns: who waits for this reply; nil for one that nobody waits for any more.
    mutating func answered(_ correlation: UInt64) -> Waiter? {
        guard let entry = entries[correlation >> 8] else { return nil }
        if entry.needsNewest, UInt8(truncatingIfNeeded: correlation) != entry.attempt { return nil }
        return entries.removeValue(forKey: correlation >> 8)?.waiter
    }

    /// What was on its way went down with the connection: all of it goes out again, in its order.
    mutating func reconnected() {
        for id in entries.keys where entries[id]?.retryAt != nil { sendAgain(id) }
        unsent.sort()
    }

    private mutating func sendAgain(_ id: UInt64) {
        entries[id]?.attempt &+= 1
        entries[id]?.retryAt = nil
        unsent.append(id)
    }

    /// Moves slow attempts to the ones to send.
    /// - Returns: who waited for too long.
    mutating func expire(now: Int64) -> [Waiter] {
        var expired: [Waiter] = []
        for (id, entry) in entries {
            if entry.deadline <= now {
                expired.append(entry.waiter)
                entries[id] = nil
            } else if let retryAt = entry.retryAt, retryAt <= now {
                sendAgain(id)
            }
        }
        unsent.sort()
        return expired
    }

    /// Forgets requests whose caller does not wait any more.
    mutating func forget(where isAbandoned: (Waiter) -> Bool) {
        for (id, entry) in entries where isAbandoned(entry.waiter) { entries[id] = nil }
    }

    mutating func removeAll() -> [Waiter] {
        defer {
            entries = [:]
            unsent = []
        }
        return entries.values.map(\.waiter)
    }
}
