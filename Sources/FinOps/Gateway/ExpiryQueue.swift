import EventLog

/// Reservations in the order in which they end: all last equally long.
struct ExpiryQueue: Sendable {
    private var items: [(attempt: CallAttempt, expires: Timestamp)] = []
    private var first = 0

    mutating func add(_ attempt: CallAttempt, at expires: Timestamp) { items.append((attempt, expires)) }

    /// - Returns: one that has ended by then; nil if there is none left.
    mutating func next(at now: Timestamp) -> CallAttempt? {
        guard first < items.count, items[first].expires <= now else { return nil }
        defer {
            first += 1
            if first > 1_024, first * 2 > items.count {
                items.removeFirst(first)
                first = 0
            }
        }
        return items[first].attempt
    }
}
