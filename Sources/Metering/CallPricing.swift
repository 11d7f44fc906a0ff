package import FinOps

/// How much is reserved for what is not known before a call.
package struct ReservationPolicy: Hashable, Sendable {
    /// Nano-dollars per 1,000,000 tokens of a model that the price list does not know.
    package let unpricedPerMillion: Int64
    /// Input tokens where the body does not show all of them: an earlier answer, a stored file, a search.
    package let openInputTokens: Int64
    /// Output tokens where neither the caller nor a known limit of the model bounds them.
    package let openOutputTokens: Int64

    package init(
        unpricedPerMillion: Int64, openInputTokens: Int64 = 272_000, openOutputTokens: Int64 = 128_000
    ) {
        self.unpricedPerMillion = unpricedPerMillion
        self.openInputTokens = openInputTokens
        self.openOutputTokens = openOutputTokens
    }
}

/// Prices single calls by one price list. It remembers what it looked up, so it belongs to one owner.
package struct CallPricing {
    private var pricing: UsagePricing
    private let policy: ReservationPolicy

    package init(_ catalogue: PriceCatalogue, policy: ReservationPolicy) {
        pricing = UsagePricing(catalogue)
        self.policy = policy
    }

    // MARK: After a call

    /// Writes into `call` what was used and what it costs: model, kind, tier, quantities, cost or the reason for none.
    /// Read from it are the provider, the model asked for and the day of its start.
    package mutating func complete(_ call: inout WireCallRecorded, _ route: Route, _ reading: MeterReading) {
        call.kind = route.kind
        call.model = reading.model ?? call.modelAsked
        call.serviceTier = reading.serviceTier
        call.quantities = reading.quantities
        call.usageEstimated = reading.usageEstimated
        call.region = reading.region
        call.otherCharges = reading.hasOtherCharges
        call.unpriceable = !reading.unpricedReason.isEmpty
        call.clearCost()
        call.priceVersion = ""
        call.priceEstimated = false
        call.unpricedReason = ""
        if route.reading == .none || reading.quantities == WireQuantities() {
            call.cost = Money.zero(in: .usd).wire
            return
        }
        guard reading.unpricedReason.isEmpty else {
            call.unpricedReason = reading.unpricedReason
            return
        }
        switch pricing.price(call) {
        case .priced(let price):
            call.cost = price.cost.wire
            call.priceVersion = price.version
            call.priceEstimated = price.isEstimated || reading.hasOtherCharges
        case .unpriced(let reason): call.unpricedReason = reason
        }
    }

    // MARK: Before a call

    /// What is reserved for a call: no call costs more, as far as that can be known.
    /// - Parameters:
    ///   - provider: the upstream's.
    ///   - day: the UTC day of the call.
    package mutating func upperBound(_ facts: RequestFacts, _ route: Route, provider: String, day: Day) -> Money {
        guard route.reading != .none, route.hasBody else { return .zero(in: .usd) }
        let output = outputBound(facts, route)
        var bound = CallBound(
            provider: PriceCatalogue.listed(provider), model: facts.model, day: day, tiers: Self.tiers(facts),
            inputTokens: facts.input.textBytes + facts.input.images * facts.input.tokensPerImage,
            audioInputTokens: facts.input.audioTokenBound, outputTokens: output,
            seconds: route.reading == .transcription ? facts.input.audioBytes / Self.leastBytesPerSecond + 1 : 0,
            characters: facts.characters, calls: facts.searchesTheWeb || facts.input.isOpen ? Self.searchBound : 0,
            writesCache: route.dialect == .openai || facts.input.writesCache, speaks: facts.speaks)
        if facts.input.isOpen { bound.inputTokens = max(bound.inputTokens, policy.openInputTokens) }
        guard let cost = pricing.upperBound(bound) else {
            let tokens = bound.inputTokens + bound.audioInputTokens + max(output, facts.characters)
            let nanos = Int128(tokens) * Int128(policy.unpricedPerMillion) / 1_000_000 + 1
            return Money(clamping: nanos, currency: .usd)
        }
        guard let factor = pricing.catalogue.regionFactor(bound.provider, "us") else { return cost }
        // Where a call runs may be the account's own setting.
        return Money(nanos: cost.nanos.scaled(by: factor).map { $0 + 1 } ?? .max, currency: .usd)
    }

    /// Tokens that a call may count towards a limit per minute.
    package func tokenBound(_ facts: RequestFacts, _ route: Route) -> Int64 {
        guard route.reading != .none, route.hasBody else { return 0 }
        return (facts.input.isOpen ? max(facts.input.tokenBound, policy.openInputTokens) : facts.input.tokenBound)
            + outputBound(facts, route)
    }

    /// The thriftiest codec of speech in use.
    private static let leastBytesPerSecond: Int64 = 750
    /// More searches than one answer makes.
    private static let searchBound: Int64 = 10

    /// The tiers that may be charged: what is left to the provider may be a project's own setting.
    private static func tiers(_ facts: RequestFacts) -> [String] {
        switch facts.serviceTier {
        case nil, "auto": ["standard", "priority"]
        case "flex": ["flex", "standard"]
        case .some(let tier): [tier, "standard"]
        }
    }

    private func outputBound(_ facts: RequestFacts, _ route: Route) -> Int64 {
        switch route.reading {
        case .none, .embeddings: return 0
        case .images: return facts.choices * OutputLimit.image
        case .transcription, .speech: return OutputLimit.audio
        case .chat, .responses, .messages:
            let each =
                facts.maxOutputTokens
                ?? (route.name == "/v1/completions" ? OutputLimit.legacy : OutputLimit.tokens(of: facts.model))
                ?? policy.openOutputTokens
            let (whole, overflow) = each.multipliedReportingOverflow(by: facts.choices)
            return overflow ? .max / 4 : min(whole, .max / 4)
        }
    }
}

/// How much a model writes at most when nobody says so. The vendors' model pages; names not listed are not known.
enum OutputLimit {
    /// Tokens of one picture: the largest size in the highest quality takes 6,240 with gpt-image-1.
    static let image: Int64 = 20_000
    /// Transcribing and speaking models.
    static let audio: Int64 = 16_384
    /// What `/v1/completions` takes for `max_tokens` when none is given.
    static let legacy: Int64 = 16

    private static let families: [(beginning: String, tokens: Int64)] = [
        ("gpt-4o", 16_384), ("chatgpt-4o", 16_384), ("gpt-4.1", 32_768), ("gpt-4-turbo", 4_096), ("gpt-4-32k", 32_768),
        ("gpt-3.5", 4_096), ("gpt-35", 4_096), ("gpt-4", 8_192), ("o1", 100_000), ("o3", 100_000), ("o4", 100_000),
        ("gpt-5", 128_000), ("gpt-6", 128_000),
    ]

    static func tokens(of model: String) -> Int64? {
        families.first { model.hasPrefix($0.beginning) }?.tokens
    }
}
