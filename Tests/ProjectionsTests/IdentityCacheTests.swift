import Testing

@testable import Projections

@Suite struct IdentityCacheTests {
    /// A row whose identity is the number's digits, before and after the bucket.
    private func usage(_ number: Int, hash: UInt64) -> UsageStatement {
        let head = Array("head-\(number)".utf8)
        var fact = UsageFact(payload: head + Array("|\(number)-tail".utf8), statement: .recorded)
        fact.identityHead = 0..<head.count
        fact.identityTail = head.count + 1..<fact.payload.count
        fact.identityHash = hash
        return UsageStatement(fact)
    }

    @Test func rowsOfOneHashAreToldApartByTheirBytes() {
        var cache = IdentityCache()
        for number in 1...20 { cache.remember(usage(number, hash: 7).fact, series: Int64(number)) }
        for number in 1...20 { #expect(cache.series(of: usage(number, hash: 7)) == Int64(number)) }
        #expect(cache.series(of: usage(21, hash: 7)) == nil)
    }

    @Test func itGrowsWithTheSeriesAndStartsAnewBeyondItsBound() {
        func hash(_ number: Int) -> UInt64 { UInt64(number) &* 0x9E37_79B9_7F4A_7C15 }
        var cache = IdentityCache()
        for number in 1...65_536 { cache.remember(usage(number, hash: hash(number)).fact, series: Int64(number)) }
        let isKnown = (1...65_536).allSatisfy { cache.series(of: usage($0, hash: hash($0))) == Int64($0) }
        #expect(isKnown)
        cache.remember(usage(65_537, hash: hash(65_537)).fact, series: 65_537)
        #expect(cache.series(of: usage(65_537, hash: hash(65_537))) == 65_537)
        #expect(cache.series(of: usage(1, hash: hash(1))) == nil)
    }
}
