import FinOps
import Testing

@Suite struct ShareTests {
    @Test(arguments: [
        (Int64(2_380_488_325), Int64(2_300_000_000), Int128(1_035)), (12_345, 10_000, 1_234), (12_355, 10_000, 1_236),
        (9_999_999, 10_000_000, 999), (10_000_000, 10_000_000, 1_000), (10_000_001, 10_000_000, 1_000), (0, 7, 0),
        (-1, 2, -500), (.max, 1, 9_223_372_036_854_775_807_000),
    ])
    func aShareIsRoundedHalfEvenAndNeverUpToTheWhole(_ part: Int64, _ whole: Int64, _ tenths: Int128) {
        #expect(Share.tenthsOfPercent(part, of: whole) == tenths)
    }

    @Test(arguments: [Int64(0), -1]) func thereIsNoShareOfNothing(_ whole: Int64) {
        #expect(Share.tenthsOfPercent(1, of: whole) == nil)
    }
}
