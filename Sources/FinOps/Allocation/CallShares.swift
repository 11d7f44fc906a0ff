/// How usage and bills meet the calls that they are about: rules that every fold of costs has to share (decision 16).
package enum CallShares {
    /// What the calls of one project estimate in an hour.
    package struct Claim: Hashable, Sendable {
        /// Nano-units of all its calls; nil where one of them has no price.
        package let cost: Int128?
        /// In and out.
        package let tokens: Int128
        package let requests: Int128

        package init(cost: Int128?, tokens: Int128, requests: Int128) {
            self.cost = cost
            self.tokens = tokens
            self.requests = requests
        }
    }

    /// What a row of usage, or a part of a bill, is shared by: cost; where a call has no price tokens, else requests, else
    /// alike.
    /// - Parameter claims: at least one, none of its numbers negative.
    /// - Returns: for `LargestRemainder.split`, in the order of the claims.
    package static func weights(_ claims: [Claim]) -> [Int128] {
        func weights(_ weight: (Claim) -> Int128) -> [Int128]? {
            let weights = claims.map(weight)
            return weights.contains { $0 > 0 } ? weights : nil
        }
        let isPriced = claims.allSatisfy { $0.cost != nil }
        return (isPriced ? weights { $0.cost ?? 0 } : nil) ?? weights(\.tokens) ?? weights(\.requests)
            ?? claims.map { _ in 1 }
    }

    /// The tier by which usage and calls find each other: what providers call the normal one differs.
    package static func commonTier(batch: Bool?, tier: String?) -> String {
        if batch == true { return "batch" }
        switch tier {
        case nil, "", "default", "auto", "standard": return ""
        case let tier?: return tier
        }
    }
}
