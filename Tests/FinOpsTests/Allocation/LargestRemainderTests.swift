import FinOps
import TestSupport
import Testing

@Suite struct LargestRemainderTests {
    @Test func theLargestFractionsGetWhatIsLeftAndEqualOnesInOrder() {
        #expect(LargestRemainder.split(10, by: [1, 1, 1]) == [4, 3, 3])
        #expect(LargestRemainder.split(-10, by: [1, 1, 1]) == [-4, -3, -3])
        #expect(LargestRemainder.split(10, by: [1, 2, 4]) == [1, 3, 6])  // 1.43, 2.86, 5.71
        #expect(LargestRemainder.split(0, by: [1, 2]) == [0, 0])
        #expect(LargestRemainder.split(1, by: [0, 0, 3]) == [0, 0, 1])
        #expect(LargestRemainder.split(.min, by: [1]) == [.min])
        #expect(LargestRemainder.split(.max, by: [.max / 4, .max / 4]).reduce(0, +) == .max)
    }

    @Test(arguments: 1...200)
    func partsSumToTheWholeAndAreWithinOneOfTheirShare(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bound: Int64 = [10, 1_000_000, .max].randomElement(using: &random) ?? 10
        let amount = Int64.random(in: -bound...bound, using: &random)
        var weights = (0..<Int.random(in: 1...60, using: &random)).map { _ in
            Int128(Int64.random(in: 0...1_000_000_000, using: &random))
        }
        weights[0] += 1
        let parts = LargestRemainder.split(amount, by: weights)
        #expect(parts.reduce(0, +) == amount, "seed \(seed)")
        let total = weights.reduce(0, +)
        for (part, weight) in zip(parts, weights) {
            let distance = (Int128(part) * total - Int128(amount) * weight).magnitude
            #expect(distance < UInt128(total), "seed \(seed)")
        }
    }
}
