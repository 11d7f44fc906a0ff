/// Splits an amount so that the parts sum to the whole: each gets its share rounded towards zero, and what is left over goes,
/// one nano-unit each, to the largest fractions; of equal fractions to the earlier part.
package enum LargestRemainder {
    /// - Parameters:
    ///   - amount: may be negative; its parts then mirror those of the positive amount.
    ///   - weights: not negative, and at least one positive.
    package static func split(_ amount: Int64, by weights: [Int128]) -> [Int64] {
        precondition(weights.allSatisfy { $0 >= 0 } && weights.contains { $0 > 0 }, "there is something to split by")
        var weights = weights
        var total = weights.reduce(0, +)
        // |amount| < 2^64 and total < 2^63 keep the products within Int128. Coarser weights change shares by less than 2^-60.
        while total > Int128(Int64.max) {
            weights = weights.map { $0 / 2 }
            total = weights.reduce(0, +)
        }
        let magnitude = Int128(amount.magnitude)
        var shares: [Int128] = []
        var remainders: [(index: Int, rest: Int128)] = []
        for (index, weight) in weights.enumerated() {
            let (share, rest) = (magnitude * weight).quotientAndRemainder(dividingBy: total)
            shares.append(share)
            remainders.append((index, rest))
        }
        let left = Int(magnitude - shares.reduce(0, +))
        remainders.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
        for remainder in remainders.prefix(left) { shares[remainder.index] += 1 }
        return shares.map { Int64(amount < 0 ? -$0 : $0) }
    }
}
