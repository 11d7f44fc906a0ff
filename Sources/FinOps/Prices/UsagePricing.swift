import EventLog

/// What the price list says about one row.
package enum PricedUsage: Hashable, Sendable {
    /// A row in which nothing was counted costs 0 and names no version.
    case priced(Price)
    /// Never zero: the quantities are kept, the reason is shown, and a later price list may price it.
    case unpriced(reason: String)

    /// What a row costs, and how that was found.
    package struct Price: Hashable, Sendable {
        /// Rounded half-even once for the whole row; always USD, as the price list is.
        package var cost: Money
        /// `2026-10-19+1a2b3c4d/o3@2025-06-10`: the list's day and digest, the entry, and its period if it is dated.
        package var version: String
        /// Derived rather than listed: a dropped suffix, another provider's list, a multiplier, an assumed tier.
        package var isEstimated: Bool
        /// The row's input is more than the long-context bound of its model, so single requests may have cost more.
        /// Hourly rows never use long-context prices: a row does not say how long its requests were.
        package var longContextPossible: Bool
    }
}

/// Prices rows with one catalogue. It remembers what it looked up, so it belongs to one owner.
package struct UsagePricing {
    package let catalogue: PriceCatalogue
    private var quotes: [QuoteKey: Quote?] = [:]

    package init(_ catalogue: PriceCatalogue) { self.catalogue = catalogue }

    private struct QuoteKey: Hashable {
        let provider: String
        let model: String
        let day: Day
        let tier: PriceTier
        let isLongContext: Bool
    }

    /// All that a row of one model, day and tier needs. A reference: it is handed out for every row.
    private final class Quote: Sendable {
        let entry: ModelPrice
        let period: PricePeriod?
        /// By place of the class.
        let rates: [TokenRate?]
        let dearest: DearestRates
        let version: String
        let isEstimated: Bool

        init(
            entry: ModelPrice, period: PricePeriod?, rates: [TokenRate?], dearest: DearestRates, version: String,
            isEstimated: Bool
        ) {
            self.entry = entry
            self.period = period
            self.rates = rates
            self.dearest = dearest
            self.version = version
            self.isEstimated = isEstimated
        }
    }

    /// What prices depend on, of a row or a call: making one into the other would cost more than pricing it.
    struct Item {
        let provider: String
        let kind: String
        /// Empty: none is named.
        let model: String
        let tier: PriceTier
        let isTierAssumed: Bool
        /// The UTC day in which the row's bucket, or the call, begins.
        let day: Day
        var quantities: WireQuantities
    }

    package mutating func price(_ row: WireUsageRow) -> PricedUsage { price(Item(row), isSingleCall: false) }

    /// The same for a row that is one call: what it read is known, so that long-context prices count where they apply.
    package mutating func price(call row: WireUsageRow) -> PricedUsage { price(call: Item(row)) }

    mutating func price(call item: Item) -> PricedUsage { price(item, isSingleCall: true) }

    private mutating func price(_ row: Item, isSingleCall: Bool) -> PricedUsage {
        let quantities = row.quantities
        if quantities == WireQuantities() {
            return .priced(
                .init(cost: .zero(in: .usd), version: "", isEstimated: false, longContextPossible: false))
        }
        guard !row.model.isEmpty else { return .unpriced(reason: "no model named") }
        guard var quote = quote(row) else {
            return .unpriced(reason: "no price for model \(row.model)")
        }
        let above = quote.period?.longContextAbove ?? 0
        let isLong = above > 0 && quantities.inputTokens > above
        if isSingleCall, isLong, let long = self.quote(row, isLongContext: true) { quote = long }
        var cost = ExactCost()
        var isEstimated = quote.isEstimated || row.isTierAssumed
        do throws(Unpriceable) {
            isEstimated = try addTokens(of: row, quote, to: &cost) || isEstimated
            try addOther(of: row, quote, to: &cost)
        } catch {
            return .unpriced(reason: error.reason)
        }
        guard let nanos = cost.nanos else { return .unpriced(reason: "the cost is out of range") }
        return .priced(
            .init(
                cost: Money(nanos: nanos, currency: .usd), version: quote.version, isEstimated: isEstimated,
                longContextPossible: isLong && !isSingleCall))
    }

    private struct Unpriceable: Error { let reason: String }

    /// Callers of a gateway choose the models' names, so that what is remembered has to be bounded.
    private static let quoteLimit = 4_096

    private mutating func quote(_ row: Item, isLongContext: Bool = false) -> Quote? {
        quote(
            QuoteKey(
                provider: row.provider, model: row.model, day: row.day, tier: row.tier, isLongContext: isLongContext))
    }

    private mutating func quote(_ key: QuoteKey) -> Quote? {
        if let known = quotes[key] { return known }
        if quotes.count >= Self.quoteLimit { quotes.removeAll(keepingCapacity: true) }
        let quote = makeQuote(key)
        quotes[key] = .some(quote)
        return quote
    }

    private func makeQuote(_ key: QuoteKey) -> Quote? {
        guard let match = catalogue.match(provider: key.provider, model: key.model) else { return nil }
        let entry = match.entry
        let listed = entry.periods.last { $0.covers(key.day) }
        let period = key.isLongContext ? listed?.forLongContext : listed
        let multiplier = catalogue.batchMultiplier(of: entry.provider)
        let rates = TokenClass.allCases.map { period?.rate($0, tier: key.tier, batchMultiplier: multiplier) }
        let dated = period?.from.map { "@\($0)" } ?? ""
        return Quote(
            entry: entry, period: period, rates: rates, dearest: DearestRates(rates),
            version: "\(entry.version)/\(entry.model)\(dated)", isEstimated: match.isEstimated)
    }

    /// - Returns: whether a rate that was used, or a share, is only derived.
    private func addTokens(of row: Item, _ quote: Quote, to cost: inout ExactCost) throws(Unpriceable) -> Bool {
        let inputOnly = TokenClasses.isInputOnly(kind: row.kind)
        let classes: TokenClasses
        do { classes = try TokenClasses(row.quantities, inputOnly: inputOnly) } catch {
            throw Unpriceable(reason: "inconsistent counts: \(error.reason)")
        }
        var isEstimated = classes.isInferred
        for token in TokenClass.allCases {
            guard let count = classes[token], count > 0 else { continue }
            guard let rate = quote.rates[token.place] else {
                let name = token.rawValue.replacing("_", with: " ")
                throw Unpriceable(
                    reason: quote.period == nil && !quote.entry.periods.isEmpty
                        ? "model \(quote.entry.model) has no price for that day"
                        : "model \(quote.entry.model) has no price for \(name) tokens")
            }
            cost.add(count, at: rate.price, per: .million)
            isEstimated = isEstimated || rate.isEstimated
        }
        return isEstimated
    }

    /// What is not counted in tokens. A quantity that the entry does not price makes the whole row unpriced.
    private func addOther(of row: Item, _ quote: Quote, to cost: inout ExactCost) throws(Unpriceable) {
        let quantities = row.quantities
        let others =
            quantities.calls | quantities.seconds | quantities.characters | quantities.images | quantities.sessions
            | quantities.usageBytes
        if others == 0 { return }
        let calls = row.kind.hasSuffix("file_search_calls") ? "file_search_per_1000" : "web_search_per_1000"
        let charges: [(count: Int64, name: String?, unit: ExactCost.Unit, noun: String)] = [
            (quantities.calls, calls, .thousand, "calls"),
            (quantities.seconds, "per_audio_hour", .hour, "seconds of audio"),
            (quantities.characters, "per_million_characters", .million, "characters"),
            (quantities.images, nil, .million, "images"),
            (quantities.sessions, nil, .million, "sessions"),
            (quantities.usageBytes, nil, .million, "stored bytes"),
        ]
        for charge in charges where charge.count != 0 {
            guard charge.count > 0 else {
                throw Unpriceable(reason: "inconsistent counts: \(charge.noun) are negative")
            }
            guard let price = charge.name.flatMap({ quote.entry.other[$0] }) else {
                throw Unpriceable(reason: "model \(quote.entry.model) has no price for \(charge.noun)")
            }
            cost.add(charge.count, at: price, per: charge.unit)
        }
    }
}

extension UsagePricing.Item {
    init(_ row: WireUsageRow) {
        let (tier, isAssumed) = PriceTier.of(row)
        self.init(
            provider: row.provider, kind: row.kind, model: row.model, tier: tier, isTierAssumed: isAssumed,
            day: Day(utc: Timestamp(seconds: row.bucketStart)), quantities: row.quantities)
    }
}

extension UsagePricing {
    /// A cost that no call within the bound exceeds, by the dearest prices that may apply to it: tier, long context, cache.
    /// - Returns: nil where the price list does not price all of it.
    package mutating func upperBound(_ bound: CallBound) -> Money? {
        var dearest: Int64?
        for name in bound.tiers {
            let (tier, _) = PriceTier.named(name, provider: bound.provider)
            func key(isLong: Bool) -> QuoteKey {
                QuoteKey(
                    provider: bound.provider, model: bound.model, day: bound.day, tier: tier, isLongContext: isLong)
            }
            guard let quote = quote(key(isLong: false)), let nanos = Self.cost(bound, quote) else { return nil }
            dearest = max(dearest ?? 0, nanos)
            let above = quote.period?.longContextAbove ?? 0
            guard above > 0, bound.inputTokens + bound.audioInputTokens > above else { continue }
            guard let long = self.quote(key(isLong: true)), let nanos = Self.cost(bound, long) else { return nil }
            dearest = max(dearest ?? 0, nanos)
        }
        return dearest.map { Money(nanos: $0, currency: .usd) }
    }

    /// - Returns: false for tokens without a price.
    private static func add(_ part: (count: Int64, price: DecimalText?), to cost: inout ExactCost) -> Bool {
        guard part.count > 0 else { return true }
        guard let price = part.price else { return false }
        cost.add(part.count, at: price, per: .million)
        return true
    }

    private static func cost(_ bound: CallBound, _ quote: Quote) -> Int64? {
        var cost = ExactCost()
        let other = quote.entry.other
        if bound.calls > 0, let price = other["web_search_per_1000"] {
            cost.add(bound.calls, at: price, per: .thousand)
        }
        if bound.characters > 0, let price = other["per_million_characters"] {
            cost.add(bound.characters, at: price, per: .million)
        } else if bound.seconds > 0, let price = other["per_audio_hour"] {
            cost.add(bound.seconds, at: price, per: .hour)
        } else {
            let dearest = quote.dearest
            let written = bound.writesCache
            let parts = (
                (bound.inputTokens, written ? dearest.inputOrCached : dearest.input),
                (bound.audioInputTokens, written ? dearest.audioInputOrCached : dearest.audioInput),
                (bound.outputTokens, bound.speaks ? dearest.spokenOutput : dearest.output)
            )
            guard add(parts.0, to: &cost), add(parts.1, to: &cost), add(parts.2, to: &cost) else { return nil }
        }
        // What is rounded half-even may be less than the sum, by less than one.
        return cost.nanos.flatMap { $0 == .max ? nil : $0 + 1 }
    }
}

/// The dearest price that a token may have, where it is not known yet of which class it will be.
struct DearestRates {
    let input: DecimalText?
    let inputOrCached: DecimalText?
    let audioInput: DecimalText?
    let audioInputOrCached: DecimalText?
    let output: DecimalText?
    let spokenOutput: DecimalText?

    /// - Parameter rates: by place of the class.
    init(_ rates: [TokenRate?]) {
        func dearest(_ classes: TokenClass...) -> DecimalText? {
            let prices = classes.compactMap { rates[$0.place]?.price }
            return prices.first.map { prices.dropFirst().reduce($0, DecimalText.greater) }
        }
        input = dearest(.input, .imageInput)
        inputOrCached = dearest(.input, .imageInput, .cacheWrite, .cacheWrite1h)
        audioInput = dearest(.input, .imageInput, .audioInput)
        audioInputOrCached = dearest(.input, .imageInput, .cacheWrite, .cacheWrite1h, .audioInput)
        output = dearest(.output, .imageOutput)
        spokenOutput = dearest(.output, .imageOutput, .audioOutput)
    }
}

extension WireUsageRow {
    /// The row with the price list's answer in place of whatever it held.
    package func priced(by pricing: inout UsagePricing) -> WireUsageRow {
        var row = self
        row.clearCost()
        row.priceVersion = ""
        row.priceEstimated = false
        row.unpricedReason = ""
        row.longContextPossible = false
        switch pricing.price(row) {
        case .priced(let price):
            row.cost = price.cost.wire
            row.priceVersion = price.version
            row.priceEstimated = price.isEstimated
            row.longContextPossible = price.longContextPossible
        case .unpriced(let reason): row.unpricedReason = reason
        }
        return row
    }
}
