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
        #expect(try periods(changed(catalogue, model: "new", ["output": "4"])) == ["always: output=4"])
    }

    @Test(arguments: [
        ("inptu", "1", PriceSettingError.unknownName("inptu")),
        ("web_search_per_1000", "1", PriceSettingError.unknownName("web_search_per_1000")),
        ("input", "-1", PriceSettingError.noPrice(name: "input", text: "-1")),
        ("input", "", PriceSettingError.noPrice(name: "input", text: "")),
        ("output", "1,5", PriceSettingError.noPrice(name: "output", text: "1,5")),
        ("output", "1234567890123456789", PriceSettingError.noPrice(name: "output", text: "1234567890123456789")),
        ("output", "1e400", PriceSettingError.noPrice(name: "output", text: "1e400")),
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
