import FinOps

/// Amounts and shares as people read them: rounded half-even for display alone, never for a decision.
enum AmountText {
    /// `$12.34`, `1,234.50 EUR`, `1,235 KRW`; below a hundredth as many decimals as show two digits: `$0.0043`.
    static func text(_ money: Money) -> String { text(money, decimals: decimals(for: money)) }

    /// The same with its sign: `+$4.34`, `-$1.00`.
    static func signed(_ money: Money) -> String { (money.nanos > 0 ? "+" : "") + text(money) }

    /// Two amounts beside each other, with more decimals where they would look equal and are not.
    static func pair(_ left: Money, _ right: Money) -> (left: String, right: String) {
        var texts = (left: text(left), right: text(right))
        var decimals = max(decimals(for: left), decimals(for: right))
        while texts.left == texts.right, left != right, decimals < 9 {
            decimals += 1
            texts = (text(left, decimals: decimals), text(right, decimals: decimals))
        }
        return texts
    }

    /// `123.4 %`; what is below the whole never shows as 100.0. Nil without a whole.
    static func percent(_ part: Int64, of whole: Int64) -> String? {
        guard let tenths = Share.tenthsOfPercent(part, of: whole) else { return nil }
        let (units, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
        return (tenths < 0 ? "-" : "") + grouped(units) + ".\(rest) %"
    }

    /// `1,234,567`.
    static func grouped(_ number: UInt128) -> String {
        let digits = String(number)
        var out = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.utf8.count - index).isMultiple(of: 3) { out += "," }
            out.append(digit)
        }
        return out
    }

    /// Currencies whose smallest unit is the unit (ISO 4217).
    private static let undivided: Set<String> = ["CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND"]

    private static func decimals(for money: Money) -> Int {
        let usual = undivided.contains(money.currency.code) ? 0 : 2
        var decimals = usual
        // Two digits of what would otherwise read as nothing.
        if money.nanos != 0, money.nanos.magnitude < power(9 - usual) {
            while decimals < 9, money.nanos.magnitude < 10 * power(9 - decimals) { decimals += 1 }
        }
        return decimals
    }

    private static func text(_ money: Money, decimals: Int) -> String {
        let unit = power(decimals)
        let rounded = DecimalText.divideHalfEven(Int128(money.nanos), by: Int128(power(9 - decimals)))
        let (whole, fraction) = rounded.magnitude.quotientAndRemainder(dividingBy: UInt128(unit))
        let digits = String(fraction)
        let point = decimals == 0 ? "" : "." + String(repeating: "0", count: decimals - digits.utf8.count) + digits
        let sign = rounded < 0 ? "-" : ""
        return money.currency == .usd
            ? "\(sign)$\(grouped(whole))\(point)" : "\(sign)\(grouped(whole))\(point) \(money.currency)"
    }

    private static func power(_ exponent: Int) -> UInt64 { (0..<exponent).reduce(UInt64(1)) { power, _ in power * 10 } }
}
