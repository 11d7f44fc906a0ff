import EventLog

/// Reservations in the order in which they end. Nearly all last equally long, and come in that order.
struct ExpiryQueue: Sendable {
    private var items: [(attempt: CallAttempt, expires: Timestamp)] = []
    private var first = 0

    /// Those that have come out may be among them for a while.
    var count: Int { items.count }

    mutating func add(_ attempt: CallAttempt, at expires: Timestamp) {
        var place = items.count
        while place > first, items[place - 1].expires > expires { place -= 1 }
        items.insert((attempt, expires), at: place)
    }

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

    /// Forgets those that need not be asked about any more.
    mutating func keep(where isNeeded: (CallAttempt, Timestamp) -> Bool) {
        items = items[first...].filter { isNeeded($0.attempt, $0.expires) }
        first = 0
    }
}
