package import FinOps

/// Dated rates of exchange into the reporting currency: a cost is converted at the rate of its business day, which is the
/// one that began last; before the first one there is none.
package struct ExchangeRates: Hashable, Sendable {
    /// What one currency is worth from a day on.
    package struct Rate: Hashable, Sendable {
        /// The one that is converted, as an ISO 4217 code.
        package var currency: String
        /// The first business day on which it holds; a later rate of the currency ends it.
        package var from: Day
        /// How much of the reporting currency one unit is worth.
        package var rate: DecimalText

        package init(currency: String, from: Day, rate: DecimalText) {
            self.currency = currency
            self.from = from
            self.rate = rate
        }
    }

    private let rates: [Rate]

    /// In any order; of two that begin on one day the later in the list counts.
    package init(_ rates: [Rate] = []) { self.rates = rates.sorted { $0.from < $1.from } }

    func rate(of currency: String, on day: Day) -> Rate? {
        rates.last { $0.currency == currency && $0.from <= day }
    }
}

/// An amount that was converted, and how.
package struct ConvertedAmount: Hashable, Sendable {
    /// Nano-units of the rate's currency.
    package var amount: Int128
    /// The one that was applied.
    package var rate: ExchangeRates.Rate
    /// Nano-units of the reporting currency, rounded half-even once.
    package var cost: Int128
}

/// Amounts in several currencies, gathered exactly: each is converted once, when everything has been added. So a figure is
/// right to the nano-unit, however many rows are in it.
struct MixedAmount {
    private enum Foreign: Hashable {
        case rated(ExchangeRates.Rate)
        case unrated(String)
    }

    private var own = Int128(0)
    private var foreign: [Foreign: Int128] = [:]

    /// - Parameter day: of the amount; nil where no rate was asked for.
    mutating func add(_ amount: Int128, currency: String?, day: Day?, _ query: CostQuery) {
        if amount == 0 { return }
        let currency = currency ?? "?"
        if currency == query.currency {
            own += amount
        } else if let day, let rate = query.rates.rate(of: currency, on: day) {
            foreign[.rated(rate), default: 0] += amount
        } else {
            foreign[.unrated(currency), default: 0] += amount
        }
    }

    /// Amounts that no rate converts, by currency.
    var unconverted: [String: Int128] {
        var amounts: [String: Int128] = [:]
        for case (.unrated(let currency), let amount) in foreign { amounts[currency] = amount }
        return amounts
    }

    /// - Throws: `ProjectionFailure` where a product leaves 128 bits.
    func converted() throws(ProjectionFailure) -> [ConvertedAmount] {
        var converted: [ConvertedAmount] = []
        for case (.rated(let rate), let amount) in foreign {
            let (product, overflow) = amount.multipliedReportingOverflow(by: rate.rate.value)
            let scaled = DecimalText(value: product, exponent: rate.rate.exponent).rounded(toScale: 0)
            guard !overflow, let scaled else {
                throw ProjectionFailure(
                    code: "conversion-overflow",
                    message: "the rate of \(rate.currency) from \(rate.from) has more digits than can be multiplied")
            }
            converted.append(ConvertedAmount(amount: amount, rate: rate, cost: scaled))
        }
        return converted.sorted { ($0.rate.currency, $0.rate.from) < ($1.rate.currency, $1.rate.from) }
    }

    /// In the reporting currency, without what no rate converts.
    func cost() throws(ProjectionFailure) -> Int128 { try converted().reduce(own) { $0 + $1.cost } }
}
