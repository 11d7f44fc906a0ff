package import FinOps

/// Why two statements about the same consumption differ, as far as their quantities tell.
package enum DifferenceCause: String, CaseIterable, Hashable, Sendable {
    /// Input that one side counts as cached, or as written to a cache, and the other does not.
    case cache
    /// Tokens that the two count in different service tiers.
    case tier
    /// Tokens that one counts as batch.
    case batch
    /// Tokens of the hours around midnight (UTC) that the two count on different days.
    case dayBoundary = "day-boundary"
    /// What the provider counts and no gateway saw: there were more requests than calls.
    case unmeteredTraffic = "unmetered-traffic"
    /// The same quantities at different prices.
    case price
    /// Every call, row and part of a bill is rounded to the nano-unit by itself.
    case rounding
}

/// From one statement to another: what the second says more, by cause. The causes and what is unexplained sum to it.
package struct Difference: Hashable, Sendable {
    /// Nano-units; like all of these the second statement less the first.
    package var amount: Int128
    /// Only those that are not zero.
    package var causes: [DifferenceCause: Int128] = [:]
    /// What quantities do not tell.
    package var unexplained = Int128(0)

    package init(amount: Int128) { self.amount = amount }

    mutating func add(_ amount: Int128, as cause: DifferenceCause) {
        let sum = (causes[cause] ?? 0) + amount
        causes[cause] = sum == 0 ? nil : sum
    }

    var explained: Int128 { causes.values.reduce(0, +) }
}

/// What gateway, usage and bill say about one key and model on one UTC day.
package struct ReconciledDay: Hashable, Sendable {
    package var provider: String
    package var account: String
    /// The provider's id of the key; nil where nothing names one, or where calls named none and share their usage with others.
    package var key: String?
    package var model: String?
    /// In UTC, as usage and bills are.
    package var day: Day
    /// Nano-units of US dollars, in which price lists are; in these three nil: nothing was said.
    package var estimated: Int128?
    package var metered: Int128?
    /// With the part of rows that name no key or model.
    package var billed: Int128?
    /// Requests that the gateways made, and that the provider counted.
    package var calls: Int64
    package var requests: Int64
    /// nil where one side says nothing that could be compared: the account is not collected, or not billed yet.
    package var toMetered: Difference?
    package var toBilled: Difference?

    /// The best statement, which shares are of.
    var best: Int128 { billed ?? metered ?? estimated ?? 0 }
}

/// The answer, and its totals.
package struct Reconciliation: Hashable, Sendable {
    /// By provider, account, key, model and day, null last.
    package var days: [ReconciledDay]

    package init(days: [ReconciledDay]) { self.days = days }

    /// Sums of what was said, in nano-dollars; what was not said is nothing.
    package var estimated: Int128 { days.reduce(0) { $0 + ($1.estimated ?? 0) } }
    package var metered: Int128 { days.reduce(0) { $0 + ($1.metered ?? 0) } }
    package var billed: Int128 { days.reduce(0) { $0 + ($1.billed ?? 0) } }
    package var toMetered: Difference { Self.sum(days.compactMap(\.toMetered)) }
    package var toBilled: Difference { Self.sum(days.compactMap(\.toBilled)) }

    /// Of both steps without signs: what is too much here does not hide what is too little there.
    package var unexplained: Int128 {
        days.reduce(0) {
            $0 + Int128(($1.toMetered?.unexplained ?? 0).magnitude + ($1.toBilled?.unexplained ?? 0).magnitude)
        }
    }

    /// What it is a share of: the best statement about everything.
    package var whole: Int128 { days.reduce(0) { $0 + Int128($1.best.magnitude) } }

    /// Each provider's days, of all its accounts, for whoever watches what is unexplained.
    package var findings: [UnexplainedWatch.Finding] {
        struct ProviderDay: Hashable { var provider: String; var day: Day }
        return Dictionary(grouping: days) { ProviderDay(provider: $0.provider, day: $0.day) }.map { place, days in
            let part = Reconciliation(days: days)
            return UnexplainedWatch.Finding(
                provider: place.provider, day: place.day, unexplained: part.unexplained, whole: part.whole)
        }
    }

    private static func sum(_ differences: [Difference]) -> Difference {
        var sum = Difference(amount: 0)
        for difference in differences {
            sum.amount += difference.amount
            sum.unexplained += difference.unexplained
            for (cause, amount) in difference.causes { sum.add(amount, as: cause) }
        }
        return sum
    }
}
