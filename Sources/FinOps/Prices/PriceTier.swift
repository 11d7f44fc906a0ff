/// The price column a row is charged from.
enum PriceTier: String, Hashable, Sendable {
    case standard, batch, flex, priority, fast

    /// - Returns: the tier, and whether it is only assumed: a tier that no price list knows is charged as standard.
    static func of(_ row: WireUsageRow) -> (tier: PriceTier, isAssumed: Bool) {
        if row.hasBatch, row.batch { return (.batch, false) }
        guard row.hasServiceTier else { return (.standard, false) }
        return named(row.serviceTier, provider: row.provider)
    }

    /// The same for a tier by its name; empty is none.
    static func named(_ name: String, provider: String) -> (tier: PriceTier, isAssumed: Bool) {
        switch name {
        case "", "default", "auto", "standard": return (.standard, false)
        case "flex": return (.flex, false)
        case "priority": return (.priority, false)
        // OpenAI bills "fast" as priority; Anthropic's speed=fast has prices of its own.
        case "fast": return (provider == "anthropic" ? .fast : .priority, false)
        default: return (.standard, true)
        }
    }
}

/// A class of tokens that has a price of its own. Every token of a row is in exactly one.
package enum TokenClass: String, CaseIterable, Sendable {
    case input
    case cachedInput = "cached_input"
    case cacheWrite = "cache_write"
    /// Written to be kept for an hour.
    case cacheWrite1h = "cache_write_1h"
    case output
    case audioInput = "audio_input"
    case cachedAudioInput = "cached_audio_input"
    case audioOutput = "audio_output"
    case imageInput = "image_input"
    case cachedImageInput = "cached_image_input"
    case imageOutput = "image_output"

    static let count = allCases.count

    /// Among all of them, for tables.
    var place: Int {
        switch self {
        case .input: 0
        case .cachedInput: 1
        case .cacheWrite: 2
        case .cacheWrite1h: 3
        case .output: 4
        case .audioInput: 5
        case .cachedAudioInput: 6
        case .audioOutput: 7
        case .imageInput: 8
        case .cachedImageInput: 9
        case .imageOutput: 10
        }
    }

    /// Whose standard price counts where this one is absent.
    var substitute: TokenClass? {
        switch self {
        case .input, .output: nil
        case .cachedInput, .cacheWrite, .audioInput, .imageInput: .input
        case .cacheWrite1h: .cacheWrite
        case .cachedAudioInput, .cachedImageInput: .cachedInput
        case .audioOutput, .imageOutput: .output
        }
    }
}

/// The price of a class of tokens in a tier, by the catalogue's own rules for what is absent.
struct TokenRate: Hashable, Sendable {
    let price: DecimalText
    let isEstimated: Bool
}

extension PricePeriod {
    /// The period with its long-context prices in force, for a single request that is above the bound.
    var forLongContext: PricePeriod {
        var period = self
        period.prices.merge(longContext) { _, long in long }
        return period
    }

    /// - Parameter batchMultiplier: the provider's; nil where it has none, and a batch then costs the standard price.
    /// - Returns: nil if the period does not price this class at all.
    func rate(_ token: TokenClass, tier: PriceTier, batchMultiplier: DecimalText?) -> TokenRate? {
        if tier != .standard, let price = prices["\(tier.rawValue)_\(token.rawValue)"] {
            return TokenRate(price: price, isEstimated: false)
        }
        guard let standard = standardPrice(token) else { return nil }
        switch tier {
        case .standard: return TokenRate(price: standard, isEstimated: false)
        case .flex, .priority, .fast: return TokenRate(price: standard, isEstimated: true)
        case .batch:
            if token == .cachedInput, let input = rate(.input, tier: .batch, batchMultiplier: batchMultiplier) {
                return TokenRate(price: .lesser(standard, input.price), isEstimated: true)
            }
            let price = batchMultiplier.map { standard.times($0) } ?? standard
            return price.map { TokenRate(price: $0, isEstimated: true) }
        }
    }

    private func standardPrice(_ token: TokenClass) -> DecimalText? {
        prices[token.rawValue] ?? token.substitute.flatMap { standardPrice($0) }
    }
}
