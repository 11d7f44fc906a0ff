import EventLog
import FinOps

/// In what tier of which kind of usage tokens were counted.
struct TokenTier: Hashable, Comparable {
    var kind: String
    /// `SeriesKey.commonTier`: empty for the normal one.
    var tier: String

    static let batch = "batch"

    static func < (left: Self, right: Self) -> Bool { (left.kind, left.tier) < (right.kind, right.tier) }
}

/// Tokens by tier and class. Sums are clamped: a count that reaches the end of the integers explains nothing anyway.
struct TokenVolume: Equatable {
    private(set) var counts: [TokenTier: [TokenClass: Int64]] = [:]

    subscript(tier: TokenTier, token: TokenClass) -> Int64 {
        get { counts[tier]?[token] ?? 0 }
        set { counts[tier, default: [:]][token] = newValue }
    }

    var tiers: [TokenTier] { counts.keys.sorted() }

    mutating func add(_ count: Int64, _ tier: TokenTier, _ token: TokenClass) {
        self[tier, token] = Clamped.sum(self[tier, token], count)
    }

    static func + (left: Self, right: Self) -> Self { left.adding(right, sign: 1) }
    static func - (left: Self, right: Self) -> Self { left.adding(right, sign: -1) }

    private func adding(_ other: Self, sign: Int64) -> Self {
        var sum = self
        for (tier, counts) in other.counts {
            for (token, count) in counts { sum.add(sign * count, tier, token) }
        }
        return sum
    }

    /// Its counts of one sign, without that sign.
    func part(positive: Bool) -> Self {
        var part = Self()
        for (tier, counts) in counts {
            for (token, count) in counts where count != 0 && (count > 0) == positive {
                part.add(positive ? count : -count, tier, token)
            }
        }
        return part
    }
}

/// Sums between `-Int64.max` and `Int64.max`, so that a sign can always be changed.
enum Clamped {
    static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? (left < 0 ? -Int64.max : .max) : max(sum, -.max)
    }
}

/// What one basis says about one key, model and UTC day.
struct ReconciledSide {
    /// What is rounded by itself: calls, rows or parts of a bill.
    var roundings: Int64 = 0
    var requests: Int64 = 0
    /// What is not counted in tokens.
    var other: [Int64]?
    var tokens = TokenVolume()
    /// Of the day's first hour and of its last.
    var first = Edge()
    var last = Edge()
    var amount = MixedAmount()
    /// Cells without a price.
    var unpriced = 0
    /// Counts that contradict each other are in no class.
    var isInconsistent = false

    /// Nothing was counted.
    var isEmpty: Bool { requests == 0 && tokens == TokenVolume() && other == nil }

    struct Edge {
        var requests: Int64 = 0
        var tokens = TokenVolume()
    }

    mutating func add(_ cell: Cell, _ quantities: WireQuantities, _ key: SeriesKey) {
        requests = Clamped.sum(requests, cell.requests)
        roundings = Clamped.sum(roundings, key.basis == .estimated ? max(1, cell.requests) : 1)
        if cell.cost == nil { unpriced += 1 }
        let rest = [
            quantities.images, quantities.characters, quantities.seconds, quantities.usageBytes, quantities.sessions,
            quantities.calls,
        ]
        if rest.contains(where: { $0 != 0 }) { other = other.map { zip($0, rest).map(Clamped.sum) } ?? rest }
        let tier = TokenTier(kind: key.kind ?? "", tier: key.commonTier)
        // What contradicts itself was priced by nobody, and is told as unexplained.
        guard let classes = try? TokenClasses(quantities, inputOnly: TokenClasses.isInputOnly(kind: tier.kind)) else {
            isInconsistent = true
            return
        }
        let hour = CellID.bucket(cell.id) / 3_600 % 24
        for (token, count) in classes.counts where count != 0 {
            tokens.add(count, tier, token)
            if hour == 0 { first.tokens.add(count, tier, token) }
            if hour == 23 { last.tokens.add(count, tier, token) }
        }
        if hour == 0 { first.requests = Clamped.sum(first.requests, cell.requests) }
        if hour == 23 { last.requests = Clamped.sum(last.requests, cell.requests) }
    }
}

/// Prices quantities as the catalogue does, for one model and day.
struct Valuation {
    var pricing: UsagePricing
    let provider: String
    let model: String
    let day: Day

    /// Nano-units; nil where the catalogue has no price for one of them.
    mutating func value(of volume: TokenVolume) -> Int128? {
        var sum = Int128(0)
        for tier in volume.tiers {
            let counts = volume.counts[tier] ?? [:]
            if counts.values.allSatisfy({ $0 == 0 }) { continue }
            var row = WireUsageRow()
            row.provider = provider
            row.model = model
            row.kind = tier.kind
            row.bucketStart = day.utcStart.seconds
            row.batch = tier.tier == TokenTier.batch
            if !tier.tier.isEmpty, tier.tier != TokenTier.batch { row.serviceTier = tier.tier }
            row.quantities = WireQuantities(classes: counts)
            guard case .priced(let price) = pricing.price(row) else { return nil }
            sum += Int128(price.cost.nanos)
        }
        return sum
    }
}

extension WireQuantities {
    /// The provider's overlapping counts of disjoint classes.
    fileprivate init(classes: [TokenClass: Int64]) {
        func count(_ tokens: TokenClass...) -> Int64 { tokens.reduce(0) { Clamped.sum($0, classes[$1] ?? 0) } }
        self.init()
        cachedInputTokens = count(.cachedInput, .cachedAudioInput, .cachedImageInput)
        cacheWriteTokens = count(.cacheWrite, .cacheWrite1h)
        cacheWrite1HTokens = count(.cacheWrite1h)
        audioInputTokens = count(.audioInput)
        imageInputTokens = count(.imageInput)
        cachedAudioInputTokens = count(.cachedAudioInput)
        cachedImageInputTokens = count(.cachedImageInput)
        inputTokens = Clamped.sum(
            count(.input, .audioInput, .imageInput, .cacheWrite, .cacheWrite1h), cachedInputTokens)
        audioOutputTokens = count(.audioOutput)
        imageOutputTokens = count(.imageOutput)
        outputTokens = count(.output, .audioOutput, .imageOutput)
    }
}
