/// How much of a whole something is, in tenths of a per cent: `1034` is 103.4 %. One rule wherever it is shown, and for
/// display alone: a limit is held against nano-units.
package enum Share {
    /// Rounded half-even, but what is below the whole never comes to it: 99.96 % is 99.9. Nil without a whole.
    package static func tenthsOfPercent(_ part: Int64, of whole: Int64) -> Int128? {
        guard whole > 0 else { return nil }
        let tenths = DecimalText.divideHalfEven(Int128(part) * 1_000, by: Int128(whole))
        return part < whole ? min(tenths, 999) : tenths
    }
}
