/// An exact decimal number read from text: `value` × 10^`exponent`. Amounts and prices enter through this type, never
/// through a double.
package struct DecimalText: Hashable, Sendable {
    /// At most `digitLimit` digits when read from text.
    package let value: Int128
    /// The power of ten. It may be far from 0, so it is never expanded without a bound.
    package let exponent: Int

    package init(value: Int128, exponent: Int) {
        self.value = value
        self.exponent = exponent
    }

    /// Why a text is not an amount we can hold.
    package enum Malformed: Error, Hashable, Sendable {
        /// No decimal: empty, another notation, or something besides the number.
        case notANumber
        /// More than `digitLimit` significant ones: an `Int128` does not hold them all.
        case tooManyDigits
    }

    /// The most significant digits a number may have; live answers have about thirty.
    package static let digitLimit = 38

    /// Reads `12`, `-0.5`, `1.2E-7`, `0E-6176`. Zeros at either end cost no digits; an exponent is never expanded.
    /// - Throws: `Malformed.notANumber`; `.tooManyDigits` above `digitLimit` significant digits.
    package init(_ text: some StringProtocol) throws(Malformed) {
        let written = try Written(text)
        guard written.digits.utf8.count <= Self.digitLimit else { throw .tooManyDigits }
        self.init(value: try written.value(of: written.digits), exponent: written.exponent)
    }

    /// Reads an amount with any number of digits, to be rounded. Of more than `digitLimit` the first are kept, and a last
    /// one of 0 or 5 becomes 1 or 6: what was cut is then neither nothing nor half a unit of any shorter number, so that
    /// rounding to fewer digits gives what the whole text would.
    /// - Throws: `Malformed.notANumber`.
    package init(roundable text: some StringProtocol) throws(Malformed) {
        let written = try Written(text)
        let kept = written.digits.prefix(Self.digitLimit)
        let value = try written.value(of: kept)
        let cut = written.digits.utf8.count - kept.utf8.count
        let isSticky = cut > 0 && value.isMultiple(of: 5)
        self.init(value: value + (isSticky ? value.signum() : 0), exponent: written.exponent + cut)
    }

    /// A text taken apart: its sign, its significant digits, and the power of ten of the last one.
    private struct Written {
        let isNegative: Bool
        let digits: Substring
        let exponent: Int

        init(_ text: some StringProtocol) throws(Malformed) {
            var rest = Substring(text)
            isNegative = rest.first == "-"
            if isNegative || rest.first == "+" { rest.removeFirst() }
            let parts = rest.split(omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
            let halves = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count <= 2, halves.count <= 2, !halves[0].isEmpty, halves.count == 1 || !halves[1].isEmpty,
                (halves[0] + (halves.count == 2 ? halves[1] : "")).utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
            else { throw .notANumber }
            var exponent = 0
            if parts.count == 2 {
                guard let given = Int(parts[1]), given.magnitude <= 1_000_000 else { throw .notANumber }
                exponent = given
            }
            let fraction = halves.count == 2 ? halves[1] : ""
            var digits = (halves[0] + fraction).drop { $0 == "0" }
            exponent -= fraction.utf8.count
            while digits.last == "0" {
                digits.removeLast()
                exponent += 1
            }
            self.digits = digits
            self.exponent = digits.isEmpty ? 0 : exponent
        }

        /// The first of the digits, at most `digitLimit`, as a number.
        func value(of digits: Substring) throws(Malformed) -> Int128 {
            if digits.isEmpty { return 0 }
            guard let value = Int128(digits) else { throw .tooManyDigits }
            return isNegative ? -value : value
        }
    }

    /// The number in units of 10^`scale`, rounded half-even; nil where Int128 cannot hold it.
    package func rounded(toScale scale: Int) -> Int128? {
        let shift = exponent - scale
        if value == 0 { return 0 }
        if shift >= 0 {
            guard shift <= Self.digitLimit else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: Self.power(shift))
            return overflow ? nil : product
        }
        guard -shift <= Self.digitLimit else { return 0 }
        return Self.divideHalfEven(value, by: Self.power(-shift))
    }

    /// In nano-units, rounded half-even once; nil where an `Int64` cannot hold it (above 9.2 × 10⁹ units).
    package var nanos: Int64? { rounded(toScale: -9).flatMap { Int64(exactly: $0) } }

    static func power(_ exponent: Int) -> Int128 { (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 } }

    /// Quotient rounded to the nearest whole number, a half to the even one. `divisor` is positive.
    package static func divideHalfEven(_ value: Int128, by divisor: Int128) -> Int128 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        let away = quotient + (value < 0 ? -1 : 1)
        let distance = remainder.magnitude
        let rest = divisor.magnitude - distance
        if distance == rest { return quotient.isMultiple(of: 2) ? quotient : away }
        return distance < rest ? quotient : away
    }
}
