import EventLog
import FinOps
import Testing

@Suite struct PriceCatalogueTests {
    private func file(_ models: String, asOf: String = "2026-11-20") throws -> PriceFile {
        try PriceFile(Array(#"{"as_of":"\#(asOf)","currency":"USD","models":[\#(models)]}"#.utf8))
    }

    private func model(_ catalogue: PriceCatalogue, _ name: String) -> String? {
        catalogue.match(provider: "openai", model: name)?.entry.model
    }

    @Test func theSeedLoadsWhole() {
        #expect(PriceCatalogue.seed.entries.count == 445)
    }

    @Test func aLiteralBeatsAPatternAndThePatternWithMoreLiteralsWins() throws {
        let catalogue = PriceCatalogue(
            try file(
                """
                {"provider":"openai","model":"any","match":["m*"],"prices":[{"from":null,"input":"1"}]},
                {"provider":"openai","model":"dated","match":["m-####*"],"prices":[{"from":null,"input":"1"}]},
                {"provider":"openai","model":"mini","match":["m-mini*"],"prices":[{"from":null,"input":"1"}]},
                {"provider":"openai","model":"exact","match":["m-mini-1"],"prices":[{"from":null,"input":"1"}]}
                """))
        #expect(model(catalogue, "m-mini-1") == "exact")
        #expect(model(catalogue, " m-mini-1\n") == "exact")
        #expect(model(catalogue, "m-mini-2") == "mini")
        #expect(model(catalogue, "m-2024") == "dated")
        #expect(model(catalogue, "m-20x4") == "any")
        #expect(model(catalogue, "M-mini-1") == nil)
        #expect(model(catalogue, "") == nil)
    }

    @Test(arguments: ["gpt-4o-2031-01-02", "gpt-4o-20310102", "gpt-4o@latest", "gpt-4o@a-2031-01-02"])
    func aDateSuffixIsDroppedAndTheMatchIsAnEstimate(_ name: String) {
        let match = PriceCatalogue.seed.match(provider: "openai", model: name)
        #expect(match?.entry.model == "gpt-4o")
        #expect(match?.isEstimated == true)
    }

    @Test func fallbacksThatGoInACircleEnd() throws {
        let json = """
            {"models":[],"defaults":{"a":{"fallback_provider":"b"},"b":{"fallback_provider":"a"}}}
            """
        let catalogue = PriceCatalogue(try PriceFile(Array(json.utf8)))
        #expect(catalogue.match(provider: "a", model: "x") == nil)
    }

    @Test func anImportIsOneEventPerChangedModelAndTheFoldEqualsTheFile() throws {
        let same = #"{"provider":"openai","model":"a","prices":[{"from":null,"input":"1.50","output":"2"}]}"#
        let old = PriceCatalogue(
            try file(same + #",{"provider":"openai","model":"b","prices":[{"from":null,"input":"1"}]}"#))
        let new = try file(
            #"{"provider":"openai","model":"a","prices":[{"from":null,"input":"1.5","output":"2.00"}]},"#
                + #"{"provider":"openai","model":"b","prices":[{"from":null,"input":"3"}]},"#
                + #"{"provider":"openai","model":"c","prices":[{"from":null,"input":"4"}]}"#, asOf: "2026-11-21")
        let events = PriceDiff.events(from: old, to: new, reason: "contract")
        #expect(
            events.map { if case .priceChanged(let change) = $0 { change.model } else { "?" } } == ["b", "c"])
        var folded = old
        folded.evolve(events)
        #expect(PriceDiff.events(from: folded, to: new, reason: "").isEmpty)
        #expect(folded.entry(provider: "openai", model: "b")?.version.hasPrefix("2026-11-21+") == true)
        #expect(folded.entry(provider: "openai", model: "a")?.version.hasPrefix("2026-11-20+") == true)
    }

    @Test func whatAFileLeavesOutStaysUnlessItIsToBeRemoved() throws {
        let a = #"{"provider":"openai","model":"a","prices":[{"from":null,"input":"1"}]}"#
        let b = #"{"provider":"openai","model":"b","prices":[{"from":null,"input":"1"}]}"#
        var catalogue = PriceCatalogue(try file(a + "," + b))
        #expect(PriceDiff.events(from: catalogue, to: try file(a), reason: "").isEmpty)
        catalogue.evolve(PriceDiff.events(from: catalogue, to: try file(a), reason: "", removingMissing: true))
        #expect(catalogue.entries.map(\.model) == ["a"])
        #expect(model(catalogue, "b") == nil)
    }

    @Test func aLaterEntryWinsOverAnEarlierOneThatMatchesAsWell() throws {
        var catalogue = PriceCatalogue.seed
        let mine = try file(
            #"{"provider":"openai","model":"ours","match":["gpt-4o"],"prices":[{"from":null,"input":"1"}]}"#)
        catalogue.evolve(PriceDiff.events(from: catalogue, to: mine, reason: "contract"))
        #expect(model(catalogue, "gpt-4o") == "ours")
    }

    @Test func theSeedSurvivesItsOwnEvents() {
        var rebuilt = PriceCatalogue.empty
        rebuilt.evolve(PriceCatalogue.seed.entries.map { .priceChanged($0.event(reason: "")) })
        #expect(rebuilt.entries == PriceCatalogue.seed.entries)
    }

    @Test(arguments: [
        (#"{"models":1}"#, "\"models\""),
        (#"{"currency":"EUR","models":[]}"#, "\"currency\""),
        (#"{"as_of":"yesterday","models":[]}"#, "\"as_of\""),
        (#"{"models":[{"provider":"p","model":"m","prices":[]}]}"#, "models[0] (m), \"prices\""),
        (
            #"{"models":[{"provider":"p","model":"m","prices":[{"input":"-1"}]}]}"#,
            "models[0] (m), prices[0], \"input\""
        ),
        (#"{"models":[{"provider":"p","model":"m","prices":[{"input":"1e99"}]}]}"#, "prices[0], \"input\""),
        (#"{"models":[{"provider":"p","model":"m","prices":[{"from":"2026-02-30"}]}]}"#, "\"from\""),
        (#"{"models":[{"provider":"p","prices":[]}]}"#, "models[0], \"model\""),
        (#"{"models":[{"provider":"p","model":"m","other":{"x":true}}]}"#, "\"other.x\""),
        (
            #"{"models":[{"provider":"p","model":"m","prices":[{"input":"1","long_context":{"input":"2"}}]}]}"#,
            "\"long_context\""
        ),
        (
            #"{"models":[{"provider":"p","model":"a","match":["x"],"other":{"y":"1"}},"#
                + #"{"provider":"p","model":"b","match":["x"],"other":{"y":"1"}}]}"#, "models[1] (b), \"match\""
        ),
        (#"{"models":[],"defaults":{"openai":{"batch_multiplier":"half"}}}"#, "\"batch_multiplier\""),
        ("{", "the file"),
    ])
    func aBadFileIsRefusedWithPlaceFieldAndRemedy(_ json: String, _ place: String) {
        #expect {
            try PriceFile(Array(json.utf8))
        } throws: { error in
            "\(error)".contains(place) && "\(error)".contains("; ")
        }
    }
}
