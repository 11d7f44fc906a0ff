/// A sum of quantities × prices, exact until it is rounded half-even to the nano-unit, once.
struct ExactCost {
    /// How many of a quantity a price is for.
    enum Unit {
        case million, thousand
        /// The quantity is in seconds.
        case hour

        var exponent: Int {
            switch self {
            case .million: -6
            case .thousand: -3
            case .hour: 0
            }
        }
        var divisor: Int128 { self == .hour ? 3_600 : 1 }
    }

    private var terms: [(amount: DecimalText, unit: Unit)] = []
    private var isOutOfRange = false

    mutating func add(_ quantity: Int64, at price: DecimalText, per unit: Unit) {
        guard quantity != 0, price.value != 0 else { return }
        guard let amount = price.times(DecimalText(value: Int128(quantity), exponent: unit.exponent)) else {
            isOutOfRange = true
            return
        }
        terms.append((amount, unit))
    }

    /// Nano-units; nil where the sum leaves what `Money` holds.
    var nanos: Int64? {
        if isOutOfRange { return nil }
        if terms.isEmpty { return 0 }
        var divisor: Int128 = 1
        var scale = Int.max
        for term in terms {
            divisor = max(divisor, term.unit.divisor)
            scale = min(scale, term.amount.exponent)
        }
        var sum: Int128 = 0
        for term in terms {
            // Every amount over one denominator: 10^-scale × divisor.
            guard let value = Self.scaled(term.amount.value, by: term.amount.exponent - scale),
                case let (whole, overflow) = value.multipliedReportingOverflow(by: divisor / term.unit.divisor),
                !overflow, case let (next, carry) = sum.addingReportingOverflow(whole), !carry
            else { return nil }
            sum = next
        }
        let shift = scale + 9
        if shift >= 0 {
            guard let value = Self.scaled(sum, by: shift) else { return nil }
            return Int64(exactly: DecimalText.divideHalfEven(value, by: divisor))
        }
        guard let power = Self.scaled(divisor, by: -shift) else { return nil }
        return Int64(exactly: DecimalText.divideHalfEven(sum, by: power))
    }

    private static func scaled(_ value: Int128, by exponent: Int) -> Int128? {
        guard exponent <= DecimalText.digitLimit else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: DecimalText.power(exponent))
        return overflow ? nil : product
    }
}
