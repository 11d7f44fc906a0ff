import SwiftProtobuf

/// One model's entry in the price catalogue: which names it covers, and what each of its periods costs.
package struct ModelPrice: Hashable, Sendable {
    package var provider: String
    package var model: String
    /// What the model is for, such as `chat` or `embedding`; nothing is calculated from it.
    package var mode: String
    /// Literals, and patterns in which `*` is any run of characters and `#` one digit.
    package var match: [String]
    /// In the order of the file: the last one that has begun counts.
    package var periods: [PricePeriod]
    /// Prices that are not per token, by their name in the file (`web_search_per_1000` …).
    package var other: [String: DecimalText]
    /// Names this statement of the entry: the file's date and a digest of the content.
    package var version: String
    /// Where the prices were found; not part of what they say.
    package var source: String

    /// What the prices say, whatever file said it.
    package func saysTheSame(as entry: ModelPrice) -> Bool {
        mode == entry.mode && match == entry.match && periods == entry.periods && other == entry.other
    }
}

/// A span of UTC days with one set of prices.
package struct PricePeriod: Hashable, Sendable {
    /// The first UTC day; nil for "always".
    package var from: Day?
    /// USD per 1,000,000 tokens by field name, tier prefixes included (`batch_cached_input`).
    package var prices: [String: DecimalText]
    /// Input tokens of one request above which `longContext` replaces the named prices; 0 where it never does.
    package var longContextAbove: Int64
    /// USD per 1,000,000 tokens by field name. Hourly rows never use them (`Price.longContextPossible`).
    package var longContext: [String: DecimalText]

    func covers(_ day: Day) -> Bool { from.map { $0 <= day } ?? true }

    func begins(after other: PricePeriod) -> Bool {
        guard let from else { return false }
        return other.from.map { $0 < from } ?? true
    }
}

extension ModelPrice {
    /// The entry an event carries; nil if a price in it is not a price, which no writer of ours lets through.
    package init?(_ event: WirePriceChanged) {
        provider = event.provider
        model = event.model
        mode = event.mode
        match = event.match
        version = event.version
        source = event.source
        periods = []
        guard let other = Self.table(event.other) else { return nil }
        self.other = other
        for period in event.periods {
            guard let prices = Self.table(period.prices), let longContext = Self.table(period.longContext) else {
                return nil
            }
            let from = period.hasFrom ? Day(period.from) : nil
            if period.hasFrom, from == nil { return nil }
            periods.append(
                PricePeriod(
                    from: from, prices: prices, longContextAbove: period.longContextAbove, longContext: longContext))
        }
    }

    /// The event that makes this entry the current one. Prices are sorted by name: equal content, equal bytes.
    package func event(reason: String) -> WirePriceChanged {
        WirePriceChanged.with {
            $0.provider = provider
            $0.model = model
            $0.mode = mode
            $0.match = match
            $0.periods = periods.map { period in
                WirePricePeriod.with {
                    if let from = period.from { $0.from = from.description }
                    $0.prices = Self.list(period.prices)
                    $0.longContextAbove = period.longContextAbove
                    $0.longContext = Self.list(period.longContext)
                }
            }
            $0.other = Self.list(other)
            $0.version = version
            $0.source = source
            $0.reason = reason
        }
    }

    private static func table(_ prices: [WireNamedPrice]) -> [String: DecimalText]? {
        var table: [String: DecimalText] = [:]
        for price in prices {
            guard let amount = PriceText.price(price.price) else { return nil }
            table[price.name] = amount
        }
        return table
    }

    private static func list(_ prices: [String: DecimalText]) -> [WireNamedPrice] {
        prices.sorted { $0.key < $1.key }.map { name, price in
            WireNamedPrice.with {
                $0.name = name
                $0.price = price.plainText
            }
        }
    }
}

/// What counts as a price: not negative, and of a size with which no row's cost can leave exact arithmetic unnoticed.
enum PriceText {
    static let digitLimit = 15
    static let exponents = -15...9

    static func price(_ text: String) -> DecimalText? {
        // A text that is no number is answered with nil: the caller names field and place.
        guard let price = try? DecimalText(text), price.value >= 0, exponents.contains(price.exponent),
            price.value < DecimalText.power(digitLimit)
        else { return nil }
        return price
    }
}

extension DecimalText {
    /// Without an exponent: `0.075`, `2.5`, `10`. Only for numbers whose exponent is small.
    package var plainText: String {
        let digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if exponent >= 0 { return sign + digits + (value == 0 ? "" : String(repeating: "0", count: exponent)) }
        let decimals = -exponent
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// Exact comparison of two numbers whose exponents are small.
    static func lesser(_ left: DecimalText, _ right: DecimalText) -> DecimalText {
        let scale = min(left.exponent, right.exponent)
        let leftValue = left.rounded(toScale: scale) ?? .max
        let rightValue = right.rounded(toScale: scale) ?? .max
        return leftValue <= rightValue ? left : right
    }

    /// The other one of the two.
    static func greater(_ left: DecimalText, _ right: DecimalText) -> DecimalText {
        lesser(left, right) == left ? right : left
    }

    /// The exact product; nil where it leaves `Int128`.
    func times(_ factor: DecimalText) -> DecimalText? {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor.value)
        return overflow ? nil : DecimalText(value: product, exponent: exponent + factor.exponent)
    }
}
