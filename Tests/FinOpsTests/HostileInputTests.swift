import EventLog
import FinOps
import TestSupport
import Testing

/// What a provider, a price file or a person may send: sizes at the ends of the types, names that mean something elsewhere.
@Suite struct HostileInputTests {
    // MARK: Counts

    @Test(arguments: [Int64.min, -1, 1 << 50, .max])
    func aCountThatCannotBeIsRefusedBeforeItIsAnEvent(_ count: Int64) {
        let row = usageRow { $0.inputTokens = count }
        given(UsageDay.self).when(.observe(observation([row]), .seed)).thenRejects(.outOfRange(UsageIdentity(row)))
    }

    @Test func rowsThatTogetherReachACountThatCannotBeAreRefused() {
        let row = usageRow { $0.outputTokens = 1 << 49 }
        given(UsageDay.self).when(.observe(observation([row, row]), .seed)).thenRejects(.outOfRange(UsageIdentity(row)))
    }

    @Test func theLargestCountAtTheLargestPriceIsUnpricedAndDoesNotTrap() throws {
        let file = try PriceFile(Array(catalogue(#"[{"input":"999999999999999"}]"#).utf8))
        let row = usageRow(model: "m") { $0.inputTokens = WireQuantities.countLimit - 1 }
        var pricing = UsagePricing(PriceCatalogue(file))
        #expect(pricing.price(row) == .unpriced(reason: "the cost is out of range"))
    }

    /// The tie goes to the even nano-dollar: 0.5, 1.5 and 2.5 of one.
    @Test(arguments: [(Int64(1), Int64(0)), (3, 2), (5, 2), (7, 4)])
    func aTieIsRoundedToTheEvenNano(_ tokens: Int64, _ nanos: Int64) throws {
        let file = try PriceFile(Array(catalogue(#"[{"input":"0.0005"}]"#).utf8))
        var pricing = UsagePricing(PriceCatalogue(file))
        guard case .priced(let price) = pricing.price(usageRow(model: "m") { $0.inputTokens = tokens }) else {
            Issue.record("not priced")
            return
        }
        #expect(price.cost.nanos == nanos)
    }

    // MARK: Amounts

    @Test func aSumOfTheLargestAmountsIsWrittenExactly() {
        #expect(NanoText.text(Int128(Int64.max) * 1_000) == "9223372036854.775807000")
        #expect(NanoText.text(Int128(Int64.min) * 1_000) == "-9223372036854.775808000")
    }

    @Test(arguments: [Int64.min, -1, 1, .max])
    func anAmountAtTheEndOfItsTypeSplitsWhole(_ amount: Int64) {
        let parts = LargestRemainder.split(amount, by: [Int128(Int64.max), 1, 0, Int128(Int64.max) * 8_000])
        #expect(parts.reduce(Int128(0)) { $0 + Int128($1) } == Int128(amount))
        #expect(parts[2] == 0)
    }

    @Test(arguments: [
        "9223372036.854775808", "-9223372036.8547758095", "1e10", "1e1000000", "1e-1000001", "0x10", "१", "1_000", " 1",
        "1.", ".5", "--1", "NaN", "Infinity", "",
    ])
    func anAmountThatWeCannotHoldIsNoAmount(_ text: String) {
        let nanos: Int64?
        do { nanos = try DecimalText(text).nanos } catch { nanos = nil }
        #expect(nanos == nil)
    }

    // MARK: Days

    @Test(arguments: [
        "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "+123-01-01", "2026-+1-01", "2026-01-+1", "-026-01-01",
        "2026-1-01", "20260101", "2026-01-01T00", "２０２６-01-01", "",
    ])
    func whatIsNoDayIsNotRead(_ text: String) { #expect(FinOps.Day(text) == nil) }

    @Test(arguments: ["2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31"])
    func aDayReadsBackAsWritten(_ text: String) { #expect(FinOps.Day(text)?.description == text) }

    @Test func instantsAtTheEndOfTimeHaveADayAndDoNotTrap() {
        for instant in [Timestamp.distantPast, Timestamp(seconds: .max), Timestamp(seconds: .min)] {
            #expect(BusinessCalendar.seoul.day(of: instant).description.contains("-"))
            #expect(FinOps.Day(utc: instant).utcStart <= instant || instant == .distantPast)
        }
        #expect(Timestamp(seconds: .max).advanced(bySeconds: 1) == Timestamp(microseconds: .max))
        #expect(Timestamp(seconds: .min).advanced(bySeconds: .min) == .distantPast)
    }

    @Test(arguments: [
        ("America/New_York", "2026-03-08", 23), ("America/New_York", "2026-11-01", 25),
        ("Europe/Berlin", "2024-02-29", 24),
        ("America/Havana", "2026-03-08", 23), ("Asia/Kathmandu", "2026-06-01", 24),
    ])
    func aDaysHoursAreThoseOfItsZone(_ zone: String, _ text: String, _ hours: Int64) throws {
        let calendar = try #require(BusinessCalendar(zone))
        let span = calendar.span(from: day(text), through: day(text))
        #expect(span.upperBound.seconds - span.lowerBound.seconds == hours * 3_600)
        #expect(calendar.day(of: span.lowerBound) == day(text))
        #expect(calendar.day(of: span.upperBound) == day(text).advanced(by: 1))
    }

    // MARK: Names

    @Test(arguments: [
        "", " a", "a ", "a\nb", "a\u{0}b", "a\u{1B}[31m", "a\u{202E}b", "\u{200B}", "\u{FEFF}a", "a\u{2028}b",
        "a\u{85}b",
        String(repeating: "x", count: 10_240), String(repeating: "팀", count: 41),
    ])
    func aNameThatCannotBeSeenOrKeptIsRefusedWithItsField(_ text: String) {
        #expect {
            try GivenName(text, field: "team")
        } throws: {
            "\($0)".hasPrefix("team: it ") && "\($0)".utf8.count < 200
        }
    }

    /// What looks the same is the same; what only means something elsewhere is a name.
    @Test func namesOfOtherTradesAreNames() throws {
        for text in [
            "Robert'); DROP TABLE teams;--", "=cmd|' /C calc'!A0", "../../etc/passwd", "null", "팀 A", "a-b-2026-11-20",
        ] {
            #expect(try GivenName(text, field: "team").text == text)
        }
        #expect(try GivenName("e\u{301}", field: "team") == GivenName("é", field: "team"))
    }

    @Test func aModelsNameFitsAStreamWhateverItIs() throws {
        for model in [String(repeating: "x", count: 10_240), "a\u{0}\n\u{1B}", "팀\u{202E}", "../x", ""] {
            let stream = StreamName.unpriced(provider: "openai", model: model)
            #expect(stream.text.utf8.count <= EventLimits.nameBytes)
            #expect(stream.text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
        }
    }

    @Test func anAccountWhoseNameLooksLikeADayKeepsItsDays() throws {
        let stream = StreamName.usage(account: "a-2026-11-20", day: day("2026-11-21"))
        #expect(stream.accountDay == AccountDay(account: "a-2026-11-20", day: day("2026-11-21")))
    }

    // MARK: Prices

    @Test(arguments: [
        #"[{"from":"2026-02-01","input":"1"},{"from":"2026-01-01","input":"2"}]"#,
        #"[{"from":"2026-02-01","input":"1"},{"from":"2026-02-01","input":"2"}]"#,
        #"[{"from":"2026-02-01","input":"1"},{"from":null,"input":"2"}]"#,
        #"[{"input":"1"},{"from":null,"input":"2"}]"#,
    ])
    func periodsThatHideEachOtherAreRefused(_ prices: String) {
        #expect {
            try PriceFile(Array(catalogue(prices).utf8))
        } throws: {
            "\($0)".hasPrefix("models[0] (m), prices[1], \"from\" is ")
        }
    }

    /// Of two lists the later one prices what both name, and the earlier one what only it names.
    @Test func twoCataloguesAddUp() throws {
        let first = try PriceFile(
            Array(
                #"{"as_of":"2026-11-01","models":[{"provider":"openai","model":"a","prices":[{"input":"1"}]},"#.utf8)
                + Array(#"{"provider":"openai","model":"b","prices":[{"input":"1"}]}]}"#.utf8))
        let second = try PriceFile(
            Array(
                #"{"as_of":"2026-11-02","models":[{"provider":"openai","model":"b","prices":[{"input":"2"}]}]}"#.utf8))
        var both = PriceCatalogue.empty
        for file in [first, second] { both.evolve(PriceDiff.events(from: both, to: file, reason: "")) }
        var pricing = UsagePricing(both)
        func nanos(_ model: String) -> Int64? {
            guard case .priced(let price) = pricing.price(usageRow(model: model) { $0.inputTokens = 1_000 }) else {
                return nil
            }
            return price.cost.nanos
        }
        #expect(nanos("a") == 1_000_000)
        #expect(nanos("b") == 2_000_000)
    }

    private func catalogue(_ prices: String) -> String {
        #"{"as_of":"2026-11-20","models":[{"provider":"openai","model":"m","prices":\#(prices)}]}"#
    }

    private func observation(_ rows: [WireUsageRow]) -> UsageObservation {
        UsageObservation(
            provider: "openai", account: "acme", observed: Timestamp(seconds: hour("2026-11-21", 0)), rows: rows,
            covered: Set(rows.map { UsageBucket($0) }))
    }
}
