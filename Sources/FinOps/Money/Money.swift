/// An ISO 4217 code in upper case.
package struct Currency: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Three upper-case letters.
    package let code: String

    /// - Returns: nil unless it is three letters, in either case.
    package init?(_ code: some StringProtocol) {
        let upper = code.uppercased()
        guard upper.utf8.count == 3, upper.utf8.allSatisfy({ $0 >= 0x41 && $0 <= 0x5A }) else { return nil }
        self.code = upper
    }

    private init(known code: String) { self.code = code }

    /// What the price list is in.
    package static let usd = Currency(known: "USD")
    package var description: String { code }
    package static func < (left: Currency, right: Currency) -> Bool { left.code < right.code }
}

/// An exact amount: a count of nano-units (10⁻⁹) of its currency.
package struct Money: Hashable, Sendable {
    /// 10⁻⁹ of a unit: 1 USD is 1,000,000,000. An `Int64` holds up to 9.2 × 10⁹ units.
    package var nanos: Int64
    package var currency: Currency

    package init(nanos: Int64, currency: Currency) {
        self.nanos = nanos
        self.currency = currency
    }

    /// The nearest amount that can be written down: a sum beyond 9.2 billion is told as that.
    package init(clamping nanos: Int128, currency: Currency) {
        self.init(nanos: Int64(clamping: nanos), currency: currency)
    }

    /// Nothing, in a currency.
    package static func zero(in currency: Currency) -> Money { Money(nanos: 0, currency: currency) }
}

extension Money: CustomStringConvertible {
    /// Such as `1.500000000 USD`: all nine decimals, so that it is exact.
    package var description: String { "\(NanoText.text(Int128(nanos))) \(currency)" }
}

/// The decimal text of nano-units: always nine decimals, a point, no grouping.
package enum NanoText {
    /// Such as `-0.000000001`.
    package static func text(_ nanos: Int128) -> String {
        let (whole, fraction) = nanos.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        let digits = String(fraction)
        return (nanos < 0 ? "-" : "") + "\(whole)." + String(repeating: "0", count: 9 - digits.count) + digits
    }
}
