package import EventLog

/// How often and for how many tokens each key was used of late: its limits per minute. A key that has rested a minute may
/// spend a whole minute's allowance at once; from then on it flows back evenly. Each gateway counts for itself.
package struct KeyRates: Sendable {
    /// Whether a call may begin.
    package enum Answer: Hashable, Sendable {
        case admitted
        /// - Parameter retryAfter: whole seconds, at least 1.
        case limited(Measure, limit: UInt32, retryAfter: Int64)
    }

    /// What a limit counts in a minute.
    package enum Measure: String, Hashable, Sendable {
        case requests, tokens
    }

    /// An allowance in millionths of its unit, so that a microsecond's share is whole.
    private struct Allowance: Sendable {
        var millionths: Int64
        var at: Timestamp
    }

    private struct Place: Hashable {
        let key: String
        let measure: Measure
    }

    private var allowances: [Place: Allowance] = [:]
    private static let minute: Int64 = 60_000_000
    private static let unit: Int64 = 1_000_000
    /// Keys that rested longest are forgotten beyond that many: they have their whole allowance again.
    private static let kept = 20_000

    package init() {}

    /// - Parameters:
    ///   - tokens: the most that the call may need; what it did not need comes back by `settle`.
    ///   - now: by a clock that nobody sets: after one that was set back, a key would wait until it has caught up.
    package mutating func admit(_ key: KeyFacts, tokens: Int64, at now: Timestamp) -> Answer {
        if let answer = lack(of: 1, key, .requests, limit: key.requestsPerMinute, now) { return answer }
        if let answer = lack(of: tokens, key, .tokens, limit: key.tokensPerMinute, now) { return answer }
        take(1, key, .requests, limit: key.requestsPerMinute, now)
        take(tokens, key, .tokens, limit: key.tokensPerMinute, now)
        return .admitted
    }

    /// Gives back what was set aside beyond what the call needed, or takes what it needed beyond that.
    package mutating func settle(_ key: KeyFacts, setAside: Int64, used: Int64, at now: Timestamp) {
        guard key.tokensPerMinute > 0 else { return }
        // Debts end at a minute's allowance: of a call that needed more, two are all that was set aside.
        let taken = min(setAside, 2 * Int64(key.tokensPerMinute))
        take(used - taken, key, .tokens, limit: key.tokensPerMinute, now)
    }

    private func lack(
        of count: Int64, _ key: KeyFacts, _ measure: Measure, limit: UInt32, _ now: Timestamp
    ) -> Answer? {
        guard limit > 0 else { return nil }
        let full = Int64(limit) * Self.unit
        // A call that needs more than a whole minute's allowance waits for the whole, not for ever.
        let wanted = min(Self.millionths(count), full)
        let missing = wanted - available(Place(key: key.id, measure: measure), full: full, now)
        guard missing > 0 else { return nil }
        let seconds = (Int128(missing) * 60 + Int128(full) - 1) / Int128(full)
        return .limited(measure, limit: limit, retryAfter: Int64(clamping: max(seconds, 1)))
    }

    private mutating func take(_ count: Int64, _ key: KeyFacts, _ measure: Measure, limit: UInt32, _ now: Timestamp) {
        guard limit > 0 else { return }
        let place = Place(key: key.id, measure: measure)
        let full = Int64(limit) * Self.unit
        let rest = available(place, full: full, now).subtractingReportingOverflow(Self.millionths(count))
        allowances[place] = Allowance(
            millionths: min(full, max(-full, rest.overflow ? -full : rest.partialValue)), at: now)
        if allowances.count > 2 * Self.kept { forgetRested(now) }
    }

    private func available(_ place: Place, full: Int64, _ now: Timestamp) -> Int64 {
        guard let known = allowances[place] else { return full }
        let passed = max(0, min(2 * Self.minute, now.microseconds &- known.at.microseconds))
        let back = Int128(full) * Int128(passed) / Int128(Self.minute)
        return Int64(clamping: min(Int128(full), Int128(known.millionths) + back))
    }

    private static func millionths(_ count: Int64) -> Int64 {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? (count < 0 ? .min / 2 : .max / 2) : product
    }

    private mutating func forgetRested(_ now: Timestamp) {
        allowances = allowances.filter { now.microseconds &- $0.value.at.microseconds < 2 * Self.minute }
    }
}
