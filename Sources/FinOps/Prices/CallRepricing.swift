import EventLog
import SwiftProtobuf

extension PriceCatalogue {
    /// The price list's name for what a call or row names as its provider.
    package static func listed(_ provider: String) -> String { provider == "azure" ? "azure_openai" : provider }
}

extension UsagePricing {
    /// What a call costs by what was counted in it.
    package mutating func price(_ call: WireCallRecorded) -> PricedUsage {
        let provider = PriceCatalogue.listed(call.provider)
        let (tier, isAssumed) =
            call.batch ? (.batch, false) : PriceTier.named(call.serviceTier, provider: provider)
        var row = Item(
            provider: provider, kind: call.kind, model: call.model, tier: tier, isTierAssumed: isAssumed,
            day: Day(utc: Timestamp(seconds: call.started / 1_000_000)), quantities: call.quantities)
        let whole = price(call: row)
        guard case .priced(var price) = whole, let factor = catalogue.regionFactor(row.provider, call.region) else {
            return whole
        }
        // Every kind of token is dearer there, searches are not.
        row.quantities.calls = 0
        guard case .priced(let tokens) = self.price(call: row), let scaled = tokens.cost.nanos.scaled(by: factor) else {
            return .unpriced(reason: "the cost is out of range")
        }
        price.cost.nanos += scaled - tokens.cost.nanos
        return .priced(price)
    }
}

extension PriceCatalogue {
    /// What prices are multiplied by where inference stays in a region; nil where that changes nothing.
    package func regionFactor(_ provider: String, _ region: String) -> DecimalText? {
        guard region == "us", let text = defaults(of: provider)["us_only_inference_multiplier"] else { return nil }
        // The price list's own reader has refused anything that is no number.
        do { return try DecimalText(text) } catch { return nil }
    }
}

extension Int64 {
    /// Half-even; nil where an amount does not hold it, with room for what is added to it.
    package func scaled(by factor: DecimalText) -> Int64? {
        let (product, overflow) = factor.value.multipliedReportingOverflow(by: Int128(self))
        guard !overflow, let value = DecimalText(value: product, exponent: factor.exponent).rounded(toScale: 0) else {
            return nil
        }
        return value < Int128(Int64.max / 2) ? Int64(exactly: value) : nil
    }
}

/// Gives calls another cost than they were recorded with. Remembers what it looked up, so it belongs to one owner.
package struct CallRepricing {
    package enum Purpose: Hashable, Sendable {
        /// Only what has no price yet.
        case firstPrices
        case correction(id: String, PriceScope, reason: String)
    }

    private let purpose: Purpose
    private var pricing: UsagePricing

    package init(_ purpose: Purpose, _ catalogue: PriceCatalogue) {
        self.purpose = purpose
        pricing = UsagePricing(catalogue)
    }

    /// Whether a call may get another cost at all.
    /// - Parameter call: as it was last stated.
    package func concerns(_ call: WireCallRecorded) -> Bool {
        // What costs nothing because nothing was counted, or what no list can price, stays as it is.
        if call.unpriceable || (call.hasCost && call.priceVersion.isEmpty) { return false }
        switch purpose {
        case .firstPrices: return !call.hasCost
        case .correction(_, let scope, _):
            return scope.covers(Day(utc: Timestamp(microseconds: call.started)))
                && scope.covers(
                    provider: PriceCatalogue.listed(call.provider), model: call.model, in: pricing.catalogue)
        }
    }

    /// - Parameter call: as it was last stated.
    /// - Returns: nil where its cost stays: nothing that has a price loses it.
    package mutating func reprice(_ call: WireCallRecorded) -> WireCallRepriced? {
        guard concerns(call), case .priced(let price) = pricing.price(call) else { return nil }
        if call.hasCost, call.cost == price.cost.wire { return nil }
        return .with {
            $0.call = call
            $0.call.cost = price.cost.wire
            $0.call.priceVersion = price.version
            $0.call.priceEstimated = price.isEstimated || call.otherCharges
            $0.call.unpricedReason = ""
            if call.hasCost { $0.previousCost = call.cost }
            $0.previousPriceVersion = call.priceVersion
            $0.previousUnpricedReason = call.unpricedReason
            $0.difference = Money(nanos: price.cost.nanos - (call.hasCost ? call.cost.nanos : 0), currency: .usd).wire
            if case .correction(let id, _, let reason) = purpose {
                $0.correction = id
                $0.reason = reason
            }
        }
    }
}
