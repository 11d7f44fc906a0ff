import FinOps
import TestSupport
import Testing

@Suite struct DecimalTextTests {
    /// The nano-units of a decimal, worked out digit by digit on its text: half-even, any length.
    private func schoolbookNanos(negative: Bool, whole: String, fraction: String) -> Int64? {
        let nine = fraction.prefix(9)
        var digits = Array((whole + nine + String(repeating: "0", count: 9 - nine.count)).utf8)
        let rest = fraction.dropFirst(9).utf8.map { $0 - 0x30 }
        let isOdd = digits[digits.count - 1] % 2 == 1
        let isMoreThanHalf = (rest.first ?? 0) > 5 || rest.first == 5 && rest.dropFirst().contains { $0 > 0 }
        if isMoreThanHalf || rest.first == 5 && isOdd {
            var place = digits.count - 1
            while place >= 0, digits[place] == 0x39 {
                digits[place] = 0x30
                place -= 1
            }
            if place >= 0 { digits[place] += 1 } else { digits.insert(0x31, at: 0) }
        }
        return Int64((negative ? "-" : "") + String(decoding: digits, as: UTF8.self))
    }

    private func nanos(_ text: String) throws -> Int64? { try DecimalText(roundable: text).nanos }

    @Test func roundingEqualsTheSchoolbooksForAnyNumberOfDigits() throws {
        var random = SeededGenerator(seed: 20_261_120)
        for _ in 0..<4_000 {
            // Few kinds of digits, so that ties, runs of nines and long rows of zeros are common.
            let kinds =
                [Array("05"), Array("09"), Array("0123456789"), Array("49"), Array("5")]
                .randomElement(using: &random) ?? []
            func digits(_ count: Int) -> String {
                String((0..<count).map { _ in kinds.randomElement(using: &random) ?? "0" })
            }
            let whole = digits(.random(in: 1...11, using: &random))
            var fraction = digits(.random(in: 1...12, using: &random))
            fraction += String(repeating: "0", count: .random(in: 0...60, using: &random))
            fraction += digits(.random(in: 0...3, using: &random))
            let negative = Bool.random(using: &random)
            let text = "\(negative ? "-" : "")\(whole).\(fraction)"
            let expected = schoolbookNanos(negative: negative, whole: whole, fraction: fraction)
            #expect(try nanos(text) == expected, "\(text)")
            let shifted = "\(negative ? "-" : "")\(whole)\(fraction)E-\(fraction.count)"
            #expect(try nanos(shifted) == expected, "\(shifted)")
        }
    }

    @Test(arguments: [
        ("0.333333333333333333333333333333333333333333", 333_333_333),
        ("0.000000000500000000000000000000000000000000000000000000001", 1),
        ("-0.00000000050000000000000000000000000000000000000000000000", 0),
        ("1.0000000005000000000000000000000000001000000000000000000001", 1_000_000_001),
        ("0.\(String(repeating: "9", count: 998))", 1_000_000_000),
    ])
    func anAmountOfManyDigitsIsRoundedOnce(_ text: String, _ expected: Int) throws {
        #expect(try nanos(text) == Int64(expected))
    }

    @Test func whatIsNotRoundedKeepsItsLimit() {
        let most = String(repeating: "7", count: DecimalText.digitLimit)
        #expect(throws: Never.self) { try DecimalText(most) }
        #expect(throws: DecimalText.Malformed.tooManyDigits) { try DecimalText(most + "7") }
        #expect(throws: DecimalText.Malformed.notANumber) { try DecimalText(roundable: most + "x") }
    }
}
