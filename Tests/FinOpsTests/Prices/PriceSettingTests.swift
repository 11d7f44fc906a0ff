import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// What becomes of a model's entry when a person states a price.
@Suite struct PriceSettingTests {
    static func catalogue(_ models: String) throws -> PriceCatalogue {
        PriceCatalogue(try PriceFile(Array(#"{"as_of":"2026-11-01","models":[\#(models)]}"#.utf8)))
    }

    private func changed(
        _ catalogue: PriceCatalogue, model: String = "a", _ prices: [String: String], from: String? = nil,
        to: String? = nil
    ) throws -> WirePriceChanged? {
        let setting = try PriceSetting(
            provider: "openai", model: model, prices: prices, from: from.map { day($0) }, through: to.map { day($0) })
        return setting.change(in: catalogue, today: day("2026-11-22"), reason: "contract")
    }

    /// `from: name=price …` of each period.
    private func periods(_ change: WirePriceChanged?) -> [String] {
        (change?.periods ?? []).map { period in
            (period.hasFrom ? period.from : "always") + ":"
                + period.prices.map { " \($0.name)=\($0.price)" }.joined()
        }
    }

    private let dated = """
        {"provider":"openai","model":"a","match":["a","a-*"],"other":{"web_search_per_1000":"10"},"prices":[
        {"from":null,"input":"2","output":"8"},{"from":"2026-11-10","input":"1","output":"8"}]}
        """

    @Test func aPriceBeginsOnItsDayAndWhatIsNotStatedStays() throws {
        let change = try changed(Self.catalogue(dated), ["input": "3"], from: "2026-11-05")
        #expect(
            periods(change) == [
                "always: input=2 output=8", "2026-11-05: input=3 output=8", "2026-11-10: input=1 output=8",
            ])
        #expect(change?.match == ["a", "a-*"] && change?.other.count == 1 && change?.reason == "contract")
        #expect(change?.version.hasPrefix("2026-11-22+") == true)
    }

    @Test func aLastDayGivesTheFormerPricesBackAndReachesOverLaterPeriods() throws {
        let change = try changed(Self.catalogue(dated), ["input": "3"], from: "2026-11-05", to: "2026-11-12")
        #expect(
            periods(change) == [
                "always: input=2 output=8", "2026-11-05: input=3 output=8", "2026-11-10: input=3 output=8",
                "2026-11-13: input=1 output=8",
            ])
        let whole = try changed(Self.catalogue(dated), ["input": "3"], to: "2026-11-30")
        #expect(
            periods(whole) == [
                "always: input=3 output=8", "2026-11-10: input=3 output=8", "2026-12-01: input=1 output=8",
            ])
    }

    @Test func whatIsSaidAlreadyIsNoChange() throws {
        let catalogue = try Self.catalogue(dated)
        let change = try #require(try changed(catalogue, ["input": "3.0"], from: "2026-11-05"))
        let next = catalogue.with([.priceChanged(change)])
        #expect(try changed(next, ["input": "3"], from: "2026-11-05") == nil)
        #expect(try changed(catalogue, ["input": "1"], from: "2026-11-10") == nil)
    }

    @Test func aNameThatAnotherEntryPricesBecomesItsOwn() throws {
        let catalogue = try Self.catalogue(dated)
        let change = try #require(try changed(catalogue, model: "a-mini", ["input": "0.5"], from: "2026-11-20"))
        #expect(change.match == ["a-mini"] && periods(change).last == "2026-11-20: input=0.5 output=8")
        let next = catalogue.with([.priceChanged(change)])
        #expect(next.match(provider: "openai", model: "a-mini")?.entry.model == "a-mini")
        #expect(next.match(provider: "openai", model: "a-maxi")?.entry.model == "a")
        #expect(periods(try changed(catalogue, model: "new", ["output": "4"])) == ["always: output=4"])
    }

    @Test(arguments: [
        ("inptu", "1", PriceSettingError.unknownName("inptu")),
        ("web_search_per_1000", "1", .unknownName("web_search_per_1000")),
        ("input", "-1", .noPrice(name: "input", text: "-1")), ("input", "", .noPrice(name: "input", text: "")),
        ("output", "1,5", .noPrice(name: "output", text: "1,5")),
        ("output", "1234567890123456789", .noPrice(name: "output", text: "1234567890123456789")),
        ("output", "1e400", .noPrice(name: "output", text: "1e400")),
    ])
    func whatIsNoPriceIsRefusedByName(_ name: String, _ text: String, _ expected: PriceSettingError) throws {
        #expect(throws: expected) { _ = try changed(.seed, [name: text]) }
        #expect("\(expected)".contains(name))
    }

    @Test func daysOutOfOrderAreRefused() {
        #expect(throws: PriceSettingError.daysOutOfOrder(from: day("2026-11-05"), through: day("2026-11-04"))) {
            _ = try changed(.seed, ["input": "1"], from: "2026-11-05", to: "2026-11-04")
        }
    }
}

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
        ("1", "5", false), ("1", "5.000000000000001", true), ("1", "0.2", false), ("1", "0.199999999999999", true),
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

/// A proposal and the second person.
@Suite struct PriceProposalsTests {
    private static let now = Timestamp(seconds: 1_795_143_600)
    private static let before = """
        {"provider":"openai","model":"a","prices":[{"from":null,"input":"1"}]}
        """

    private func proposed(_ id: String = "price-1", input: String = "10") throws -> WirePriceChangeProposed {
        let catalogue = try PriceSettingTests.catalogue(Self.before)
        let setting = try PriceSetting(
            provider: "openai", model: "a", prices: ["input": input], from: nil, through: nil)
        let change = try #require(setting.change(in: catalogue, today: day("2026-11-22"), reason: "typo"))
        return WirePriceChangeProposed(
            id: id, PricePlan([.priceChanged(change)], of: catalogue), of: catalogue, correction: nil, reason: "typo")
    }

    private func command(_ change: PriceProposals.Command.Change, by actor: String) -> PriceProposals.Command {
        .init(change, by: actor, at: Self.now)
    }

    private func approve(
        by actor: String, _ catalogue: PriceCatalogue? = nil, reason: String = "seen"
    ) throws -> PriceProposals.Command {
        command(
            .approve(
                "price-1", administrators: ["ann", "bob"],
                catalogue: try catalogue ?? PriceSettingTests.catalogue(Self.before),
                reason: reason), by: actor)
    }

    private func asked() throws -> ActedEvent {
        ActedEvent(.priceChangeProposed(try proposed()), by: "ann", at: Self.now)
    }

    @Test func theSamePersonAsksOnceForTheSame() throws {
        let first = try proposed()
        given(PriceProposals.self).when(command(.propose(first), by: "ann")).then(try asked())
        given(PriceProposals.self, try asked()).when(command(.propose(try proposed("price-2")), by: "ann"))
            .thenNothing()
        let other = try proposed("price-2", input: "11")
        #expect(given(PriceProposals.self, try asked()).when(command(.propose(other), by: "ann")).events().count == 1)
        #expect(
            given(PriceProposals.self, try asked()).when(command(.propose(try proposed("price-2")), by: "bob")).events()
                .count == 1)
    }

    @Test func onlyAnotherAdministratorApproves() throws {
        let given = given(PriceProposals.self, try asked())
        given.when(try approve(by: "ann")).thenRejects(.own("price-1"))
        given.when(try approve(by: "eve")).thenRejects(.notAdministrator)
        given.when(try approve(by: "bob", reason: "")).thenRejects(.reasonMissing)
        #expect(given.when(try approve(by: "bob")).events().map(\.event.type) == ["price.change-approved"])
        #expect(try proposed().approvedChanges.count == 1)
    }

    @Test func anApprovalOfPricesThatHaveChangedSinceIsRefused() throws {
        let changed = try PriceSettingTests.catalogue(Self.before.replacing(#""1""#, with: #""1.5""#))
        given(PriceProposals.self, try asked()).when(try approve(by: "bob", changed))
            .thenRejects(.outdated("price-1", "openai/a"))
    }

    @Test func whatIsSettledStaysSo() throws {
        let approved = ActedEvent(.priceChangeApproved(.with { $0.id = "price-1" }), by: "bob", at: Self.now)
        let rejected = ActedEvent(.priceChangeRejected(.with { $0.id = "price-1" }), by: "ann", at: Self.now)
        let reject = command(.reject("price-1", reason: "typo"), by: "ann")
        given(PriceProposals.self, try asked(), approved).when(try approve(by: "bob")).thenNothing()
        given(PriceProposals.self, try asked(), approved).when(reject).thenRejects(.approved("price-1"))
        given(PriceProposals.self, try asked(), rejected).when(try approve(by: "bob")).thenRejects(.rejected("price-1"))
        given(PriceProposals.self, try asked(), rejected).when(reject).thenNothing()
        #expect(
            given(PriceProposals.self, try asked()).when(reject).events().map(\.event.type) == ["price.change-rejected"]
        )
        given(PriceProposals.self).when(reject).thenRejects(.unknown("price-1"))
    }
}
