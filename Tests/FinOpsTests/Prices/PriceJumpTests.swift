import FinOps
import Testing

/// Which changes wait for a second person.
@Suite struct PriceJumpTests {
    private func entry(_ model: String, match: String? = nil, _ prices: String, from: String = "null") -> String {
        let match = match.map { #""match":["\#($0)"],"# } ?? ""
        return #"{"provider":"openai","model":"\#(model)",\#(match)"prices":[{"from":\#(from),\#(prices)}]}"#
    }

    private func jumps(_ old: String, _ new: String) throws -> [String] {
        let before = try PriceSettingTests.catalogue(old)
        let file = try PriceFile(Array(#"{"models":[\#(new)]}"#.utf8))
        return PricePlan(PriceDiff.events(from: before, to: file, reason: ""), of: before).jumps.map(\.description)
    }

    @Test(arguments: [
        ("1", "5", false), ("1", "5.00000000000001", true), ("1", "0.2", false), ("1", "0.199999999999999", true),
        ("0", "0.000001", true), ("1", "0", true), ("0", "0", false), ("999999999999999", "0.000000000000001", true),
    ])
    func moreThanFiveTimesEitherWayIsAJumpAndNothingIsFarFromSomething(
        _ before: String, _ after: String, _ expected: Bool
    ) throws {
        let found = try jumps(entry("a", #""input":"\#(before)""#), entry("a", #""input":"\#(after)""#))
        #expect(found.isEmpty != expected)
    }

    @Test func aFirstPriceIsNoJump() throws {
        #expect(try jumps(entry("a", #""input":"1""#), entry("b", #""input":"1000""#)).isEmpty)
        #expect(try jumps(entry("a", #""input":"1""#), entry("a", #""input":"1","per_image":"1000""#)).isEmpty)
    }

    @Test func theTextNamesModelPriceAndDay() throws {
        #expect(
            try jumps(entry("a", #""input":"1","output":"1""#), entry("a", #""input":"10","output":"2""#))
                == ["openai/a input: 1 → 10"])
        let later = #"{"from":null,"input":"1"},{"from":"2026-12-01","input":"10"}"#
        #expect(
            try jumps(
                entry("a", #""input":"1""#), #"{"provider":"openai","model":"a","prices":[\#(later)]}"#)
                == ["openai/a input: 1 → 10 from 2026-12-01"])
    }

    @Test func aPriceThatIsOnlyDerivedJumpsToo() throws {
        // A class without a price of its own is charged at another one's: that may change by leaving it out.
        let found = try jumps(entry("a", #""input":"10","cached_input":"1""#), entry("a", #""input":"10""#))
        #expect(found == ["openai/a cached_input: 1 → 10"])
    }

    @Test func aPatternThatTakesNamesOverIsSeen() throws {
        let old = entry("a", #""input":"1""#) + "," + entry("b-1", match: "b-1", #""input":"1""#)
        #expect(try jumps(old, entry("new", match: "b-#", #""input":"100""#)).isEmpty, "a literal wins")
        let patterned = entry("any", match: "b-*", #""input":"1""#) + "," + entry("b-7", match: "c", #""input":"1""#)
        #expect(try jumps(patterned, entry("new", match: "b-#", #""input":"100""#)) == ["openai/b-7 input: 1 → 100"])
    }

    @Test func theRestOfAFileIsTaken() throws {
        let before = try PriceSettingTests.catalogue(entry("a", #""input":"1""#) + "," + entry("b", #""input":"1""#))
        let file = try PriceFile(
            Array(#"{"models":[\#(entry("a", #""input":"2""#)),\#(entry("b", #""input":"100""#))]}"#.utf8))
        let plan = PricePlan(PriceDiff.events(from: before, to: file, reason: ""), of: before)
        #expect(plan.taken.compactMap { $0.priceSubject?.model } == ["a"])
        #expect(plan.proposed.compactMap { $0.priceSubject?.model } == ["b"])
    }

    @Test func aGeneralRuleThatMovesManyPricesHoldsAllOfItsProvider() throws {
        let models = entry("a", #""input":"1""#)
        let before = PriceCatalogue(
            try PriceFile(Array(#"{"models":[\#(models)],"defaults":{"openai":{"batch_multiplier":"0.5"}}}"#.utf8)))
        let file = try PriceFile(
            Array(#"{"models":[\#(models)],"defaults":{"openai":{"batch_multiplier":"50"}}}"#.utf8))
        let plan = PricePlan(PriceDiff.events(from: before, to: file, reason: ""), of: before)
        #expect(plan.taken.isEmpty && plan.proposed.count == 1)
        #expect(plan.jumps.map(\.name) == plan.jumps.map(\.name).filter { $0.hasPrefix("batch_") })
    }
}
