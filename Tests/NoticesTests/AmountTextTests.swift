import FinOps
import Testing

@testable import Notices

@Suite struct AmountTextTests {
    @Test(arguments: [
        (12_340_000_000, "$12.34"), (12_345_000_000, "$12.34"), (12_355_000_000, "$12.36"),
        (12_345_000_001, "$12.35"), (0, "$0.00"), (-1_000_000_000, "-$1.00"), (1_234_567_890_000_000, "$1,234,567.89"),
        (999_995_000_000, "$1,000.00"), (50_000_000, "$0.05"), (4_300_000, "$0.0043"), (4_350_000, "$0.0044"),
        (1, "$0.000000001"), (-12, "-$0.000000012"), (Int64.max, "$9,223,372,036.85"), (.min, "-$9,223,372,036.85"),
    ])
    func dollarsAreRoundedHalfEvenAndSmallOnesShowTwoDigits(_ nanos: Int64, _ text: String) {
        #expect(AmountText.text(Money(nanos: nanos, currency: .usd)) == text)
    }

    @Test(arguments: [("EUR", "1,234.50 EUR"), ("KRW", "1,234 KRW"), ("JPY", "1,234 JPY")])
    func otherCurrenciesCarryTheirCode(_ code: String, _ text: String) throws {
        let currency = try #require(Currency(code))
        #expect(AmountText.text(Money(nanos: 1_234_500_000_000, currency: currency)) == text)
    }

    @Test func aDifferenceShowsItsSign() {
        #expect(AmountText.signed(Money(nanos: 4_340_000_000, currency: .usd)) == "+$4.34")
        #expect(AmountText.signed(Money(nanos: -4_340_000_000, currency: .usd)) == "-$4.34")
        #expect(AmountText.signed(Money(nanos: 0, currency: .usd)) == "$0.00")
    }

    @Test func amountsThatDifferNeverLookEqualBesideEachOther() {
        func pair(_ left: Int64, _ right: Int64) -> String {
            let texts = AmountText.pair(Money(nanos: left, currency: .usd), Money(nanos: right, currency: .usd))
            return "\(texts.left) / \(texts.right)"
        }
        #expect(pair(12_340_000_000, 10_000_000_000) == "$12.34 / $10.00")
        #expect(pair(10_000_000_001, 10_000_000_000) == "$10.000000001 / $10.000000000")
        #expect(pair(10_004_000_000, 10_000_000_000) == "$10.004 / $10.000")
        #expect(pair(10_000_000_000, 10_000_000_000) == "$10.00 / $10.00")
    }

    @Test(arguments: [
        (12_340, 10_000, "123.4 %"), (12_345, 10_000, "123.4 %"), (12_355, 10_000, "123.6 %"), (0, 7, "0.0 %"),
        (9_999_999, 10_000_000, "99.9 %"), (10_000_000, 10_000_000, "100.0 %"), (-1, 2, "-50.0 %"),
        (12_345_678, 1_000, "1,234,567.8 %"), (Int64.max, 1, "922,337,203,685,477,580,700.0 %"),
    ])
    func aShareHasOneDecimalAndIsNeverRoundedUpToTheWhole(_ part: Int64, _ whole: Int64, _ text: String) {
        #expect(AmountText.percent(part, of: whole) == text)
    }

    @Test func thereIsNoShareOfNothing() {
        #expect(AmountText.percent(1, of: 0) == nil)
        #expect(AmountText.percent(1, of: -1) == nil)
    }
}
