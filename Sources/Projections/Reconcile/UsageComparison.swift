import FinOps

/// From what the gateways estimate to what the provider metered, for one key, model and UTC day. Quantities that only moved
/// (into a cache, a tier, a batch, the next day) are taken out of the difference one after another and priced; the rest is
/// traffic that no gateway saw if the provider counted more requests, and unexplained if it did not.
struct UsageComparison {
    private(set) var difference: Difference
    private let estimated: ReconciledSide
    private let metered: ReconciledSide
    private var valuation: Valuation
    private var rest: TokenVolume
    private var restRequests: Int64
    /// nil: nothing can be recomputed, since something has no price or no consistent counts.
    private var roundings: Int64?

    init(_ estimated: ReconciledSide, _ metered: ReconciledSide, _ valuation: Valuation) throws(ProjectionFailure) {
        self.estimated = estimated
        self.metered = metered
        self.valuation = valuation
        difference = Difference(amount: try metered.amount.cost() - estimated.amount.cost())
        rest = metered.tokens - estimated.tokens
        restRequests = Clamped.sum(metered.requests, -estimated.requests)
        roundings = Clamped.sum(metered.roundings, estimated.roundings)
        if estimated.isInconsistent || metered.isInconsistent { roundings = nil }
        if self.valuation.value(of: metered.tokens) == nil || self.valuation.value(of: estimated.tokens) == nil {
            roundings = nil
        }
        takeCache()
        takeTiers()
    }

    private var isRecomputable: Bool { roundings != nil }

    /// Kinds of input between which a cache moves tokens.
    private static let caches: [[TokenClass]] = [
        [.input, .cachedInput, .cacheWrite, .cacheWrite1h], [.audioInput, .cachedAudioInput],
        [.imageInput, .cachedImageInput],
    ]

    private mutating func takeCache() {
        for tier in rest.tiers {
            for classes in Self.caches { take(classes.map { (tier, $0) }, as: .cache) }
        }
    }

    private mutating func takeTiers() {
        for kind in Set(rest.tiers.map(\.kind)).sorted() {
            for token in TokenClass.allCases {
                let tiers = rest.tiers.filter { $0.kind == kind }
                // Between the other tiers first: what then remains on one side went to batches or came from them.
                take(tiers.filter { $0.tier != TokenTier.batch }.map { ($0, token) }, as: .tier)
                take(tiers.map { ($0, token) }, as: .batch)
            }
        }
    }

    /// Takes out what moved between these counts: as much as is too much in some and missing in others.
    private mutating func take(_ places: [(TokenTier, TokenClass)], as cause: DifferenceCause) {
        guard isRecomputable else { return }
        let more = places.filter { rest[$0.0, $0.1] > 0 }
        let less = places.filter { rest[$0.0, $0.1] < 0 }
        func total(_ places: [(TokenTier, TokenClass)]) -> Int64 {
            places.reduce(0) { Clamped.sum($0, Int64(clamping: rest[$1.0, $1.1].magnitude)) }
        }
        let moved = min(total(more), total(less))
        guard moved > 0 else { return }
        var gained = TokenVolume()
        var lost = TokenVolume()
        for (place, count) in zip(more, LargestRemainder.split(moved, by: more.map { Int128(rest[$0.0, $0.1]) })) {
            gained.add(count, place.0, place.1)
        }
        for (place, count) in zip(less, LargestRemainder.split(moved, by: less.map { -Int128(rest[$0.0, $0.1]) })) {
            lost.add(count, place.0, place.1)
        }
        take(gained, lost, as: cause)
    }

    private mutating func take(_ gained: TokenVolume, _ lost: TokenVolume, as cause: DifferenceCause) {
        guard let roundings, let more = valuation.value(of: gained), let less = valuation.value(of: lost) else {
            self.roundings = nil
            return
        }
        self.roundings = Clamped.sum(roundings, Int64(gained.tiers.count + lost.tiers.count))
        difference.add(more - less, as: cause)
        rest = rest - gained + lost
    }

    /// Takes out what one of two neighbouring days has too much and the other too little, as far as the hours around the
    /// midnight between them hold it.
    static func takeBoundary(_ day: inout UsageComparison, _ next: inout UsageComparison) {
        guard day.isRecomputable, next.isRecomputable else { return }
        var toNext = TokenVolume()
        var toDay = TokenVolume()
        for tier in day.rest.tiers {
            for token in TokenClass.allCases {
                let (here, there) = (day.rest[tier, token], next.rest[tier, token])
                guard here != 0, there != 0, (here > 0) != (there > 0) else { continue }
                let bound = max(
                    Clamped.sum(day.estimated.last.tokens[tier, token], next.estimated.first.tokens[tier, token]),
                    Clamped.sum(day.metered.last.tokens[tier, token], next.metered.first.tokens[tier, token]))
                let moved = min(Int64(clamping: here.magnitude), Int64(clamping: there.magnitude), bound)
                if here < 0 { toNext.add(moved, tier, token) } else { toDay.add(moved, tier, token) }
            }
        }
        day.take(toDay, toNext, as: .dayBoundary)
        next.take(toNext, toDay, as: .dayBoundary)
        let (here, there) = (day.restRequests, next.restRequests)
        guard here != 0, there != 0, (here > 0) != (there > 0) else { return }
        let moved = min(Int64(clamping: here.magnitude), Int64(clamping: there.magnitude))
        day.restRequests -= here > 0 ? moved : -moved
        next.restRequests -= there > 0 ? moved : -moved
    }

    /// The whole of it, with what remains.
    mutating func finished() -> Difference {
        var difference = self.difference
        guard !estimated.isEmpty else {
            difference.add(difference.amount - difference.explained, as: .unmeteredTraffic)
            return difference
        }
        // Where nothing was metered there is no other price to speak of.
        guard !metered.isEmpty, let roundings, let more = valuation.value(of: rest.part(positive: true)),
            let less = valuation.value(of: rest.part(positive: false))
        else {
            difference.unexplained = difference.amount - difference.explained
            return difference
        }
        if restRequests > 0 {
            difference.add(more, as: .unmeteredTraffic)
            difference.unexplained = -less
        } else {
            difference.unexplained = more - less
        }
        // All tokens are accounted for by now: what is left has no quantity.
        let residue = difference.amount - difference.explained - difference.unexplained
        if residue.magnitude <= UInt128(max(0, roundings)) + 2 {
            difference.add(residue, as: .rounding)
        } else if estimated.other == metered.other {
            difference.add(residue, as: .price)
        } else {
            difference.unexplained += residue
        }
        return difference
    }
}

/// From what was metered to what is billed. A bill knows no quantities, so little of it can be told.
enum BillComparison {
    static func difference(_ metered: ReconciledSide?, _ billed: ReconciledSide, spread: Int128)
        throws(ProjectionFailure)
        -> Difference
    {
        let amount = try billed.amount.cost() + spread - (metered?.amount.cost() ?? 0)
        var difference = Difference(amount: amount)
        guard let metered else {
            // On the bill and in no usage: a fee, or a kind of usage that is not collected.
            difference.add(amount, as: .unmeteredTraffic)
            return difference
        }
        if amount.magnitude <= UInt128(max(0, Clamped.sum(metered.roundings, billed.roundings))) {
            difference.add(amount, as: .rounding)
        } else if metered.unpriced > 0 {
            difference.add(amount, as: .price)
        } else {
            difference.unexplained = amount
        }
        return difference
    }
}
