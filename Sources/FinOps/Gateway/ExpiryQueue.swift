import EventLog

/// Reservations in the order in which they end. Nearly all last equally long, and come in that order.
struct ExpiryQueue: Sendable {
    private var items: [(attempt: CallAttempt, expires: Timestamp)] = []
    private var first = 0

    var count: Int { items.count - first }

    mutating func add(_ attempt: CallAttempt, at expires: Timestamp) {
        var place = items.count
        while place > first, items[place - 1].expires > expires { place -= 1 }
        items.insert((attempt, expires), at: place)
    }

    /// - Returns: one that has ended by then; nil if there is none left.
    mutating func next(at now: Timestamp) -> CallAttempt? {
        guard first < items.count, items[first].expires <= now else { return nil }
        defer { first += 1 }
        return items[first].attempt
    }

    /// Forgets those that need not be asked about any more.
    mutating func keep(where isNeeded: (CallAttempt, Timestamp) -> Bool) {
        items = items[first...].filter { isNeeded($0.attempt, $0.expires) }
        first = 0
    }
}
