package import EventLog

/// How often and for how many tokens each key was used of late: its limits per minute, or an equal part of them where several
/// gateways let its calls through. A key that has rested a minute may spend a whole minute's allowance at once; from then on
/// it flows back evenly.
package struct KeyRates: Sendable {
    /// Whether a call may begin.
    package enum Answer: Hashable, Sendable {
        /// With so many tokens set aside: none where there is no limit.
        case admitted(tokens: Int64)
        /// - Parameter retryAfter: whole seconds, at least 1.
        case limited(Measure, limit: UInt32, retryAfter: Int64)
    }

    /// What a limit counts in a minute.
    package enum Measure: String, CaseIterable, Hashable, Sendable {
        case requests, tokens

        fileprivate func limit(of key: KeyFacts) -> UInt32 {
            self == .requests ? key.requestsPerMinute : key.tokensPerMinute
        }
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

    /// What one gateway may let through, in millionths.
    private struct Share {
        /// That flows back in a minute.
        let flow: Int64
        /// What there is at most: a call in any case, or a small part would never suffice for one.
        let most: Int64

        /// - Returns: nil where there is no limit.
        init?(_ measure: Measure, of key: KeyFacts, parts: Int) {
            let limit = measure.limit(of: key)
            guard limit > 0 else { return nil }
            flow = max(1, Int64(limit) * unit / Int64(max(1, parts)))
            most = max(flow, unit)
        }
    }

    private var allowances: [Place: Allowance] = [:]
    private static let minute: Int64 = 60_000_000
    private static let unit: Int64 = 1_000_000
    /// Beyond that many those that owed nothing and rested for ten minutes are forgotten: they have their whole allowance again.
    private static let kept = 40_000
    private static let rested: Int64 = 10 * minute
    private var nextForgetting = kept

    package init() {}

    /// - Parameters:
    ///   - tokens: the most that the call may need; what it did not need comes back by `settle`.
    ///   - parts: gateways that share the key's limits, this one included.
    ///   - now: by a clock that nobody sets: after one that was set back, a key would wait until it has caught up.
    package mutating func admit(_ key: KeyFacts, tokens: Int64, parts: Int = 1, at now: Timestamp) -> Answer {
        if let answer = lack(of: 1, .requests, key, parts, now) ?? lack(of: tokens, .tokens, key, parts, now) {
            return answer
        }
        take(1, .requests, key, parts, now)
        return .admitted(tokens: take(tokens, .tokens, key, parts, now))
    }

    /// A call that was admitted does not begin after all.
    mutating func release(_ key: KeyFacts, tokens: Int64, parts: Int, at now: Timestamp) {
        take(-1, .requests, key, parts, now)
        take(-tokens, .tokens, key, parts, now)
    }

    /// Gives back what was set aside beyond what the call needed, or takes what it needed beyond that.
    /// - Parameter setAside: as `admit` has said.
    package mutating func settle(_ key: KeyFacts, setAside: Int64, used: Int64, parts: Int = 1, at now: Timestamp) {
        take(used - setAside, .tokens, key, parts, now)
    }

    private func lack(of count: Int64, _ measure: Measure, _ key: KeyFacts, _ parts: Int, _ now: Timestamp) -> Answer? {
        guard let share = Share(measure, of: key, parts: parts) else { return nil }
        // A call that needs more than there ever is waits for all of it, not for ever.
        let missing =
            min(Self.millionths(count), share.most) - available(Place(key: key.id, measure: measure), share, now)
        guard missing > 0 else { return nil }
        let seconds = (Int128(missing) * 60 + Int128(share.flow) - 1) / Int128(share.flow)
        return .limited(measure, limit: measure.limit(of: key), retryAfter: Int64(clamping: max(seconds, 1)))
    }

    /// - Returns: what was taken, where there is a limit: a call that needed more than there was leaves a debt, which flows back
    ///   first.
    @discardableResult
    private mutating func take(
        _ count: Int64, _ measure: Measure, _ key: KeyFacts, _ parts: Int, _ now: Timestamp
    ) -> Int64 {
        guard let share = Share(measure, of: key, parts: parts) else { return 0 }
        let place = Place(key: key.id, measure: measure)
        let before = available(place, share, now)
        let rest = before.subtractingReportingOverflow(Self.millionths(count))
        let after = min(share.most, rest.overflow ? .min / 2 : max(.min / 2, rest.partialValue))
        set(place, after, now)
        return (before - after) / Self.unit
    }

    private mutating func set(_ place: Place, _ millionths: Int64, _ now: Timestamp) {
        allowances[place] = Allowance(millionths: millionths, at: now)
        guard allowances.count > nextForgetting else { return }
        allowances = allowances.filter {
            $0.value.millionths < 0 || now.microseconds &- $0.value.at.microseconds < Self.rested
        }
        nextForgetting = max(Self.kept, 2 * allowances.count)
    }

    private func available(_ place: Place, _ share: Share, _ now: Timestamp) -> Int64 {
        guard let known = allowances[place] else { return share.most }
        let passed = max(0, now.microseconds &- known.at.microseconds)
        let back = Int128(share.flow) * Int128(passed) / Int128(Self.minute)
        return Int64(clamping: min(Int128(share.most), Int128(known.millionths) + back))
    }

    private static func millionths(_ count: Int64) -> Int64 {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? (count < 0 ? .min / 2 : .max / 2) : product
    }

    // MARK: Sharing

    /// Whole units of a key's allowance.
    package struct Gift: Hashable, Sendable {
        var requests: Int64 = 0
        var tokens: Int64 = 0

        subscript(_ measure: Measure) -> Int64 {
            get { measure == .requests ? requests : tokens }
            set { if measure == .requests { requests = newValue } else { tokens = newValue } }
        }
    }

    /// Begins with nothing, or with what it owes: others have what there is.
    mutating func empty(_ key: KeyFacts, parts: Int, at now: Timestamp) {
        for measure in Measure.allCases {
            guard let share = Share(measure, of: key, parts: parts) else { continue }
            let place = Place(key: key.id, measure: measure)
            set(place, min(0, available(place, share, now)), now)
        }
    }

    /// Gives up what is there beyond the share.
    /// - Parameters:
    ///   - before: the parts until now.
    ///   - after: from now on.
    mutating func give(_ key: KeyFacts, before: Int, after: Int, at now: Timestamp) -> Gift {
        var gift = Gift()
        for measure in Measure.allCases {
            guard let old = Share(measure, of: key, parts: before), let new = Share(measure, of: key, parts: after)
            else { continue }
            let place = Place(key: key.id, measure: measure)
            let there = available(place, old, now)
            gift[measure] = max(0, there - new.most) / Self.unit
            set(place, there - gift[measure] * Self.unit, now)
        }
        return gift
    }

    mutating func take(_ gift: Gift, _ key: KeyFacts, parts: Int, at now: Timestamp) {
        for measure in Measure.allCases { take(-gift[measure], measure, key, parts, now) }
    }
}
