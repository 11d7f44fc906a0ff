import EventLog
import FinOps
import Testing

@testable import Notices

@Suite struct WordsTests {
    private let korean = KoreanWords()
    private let english = EnglishWords()

    @Test func aDayAndAWeekAreWrittenForPeople() throws {
        let day = try #require(WindowSpan(kind: "day", firstDay: "2026-11-11", zone: "Asia/Seoul"))
        #expect(korean.window(day) == "2026년 11월 11일(수) 하루 · Asia/Seoul (UTC+9)")
        #expect(english.window(day) == "the day Wed 11 November 2026 · Asia/Seoul (UTC+9)")
        let week = try #require(WindowSpan(kind: "week", firstDay: "2026-11-09", zone: "Australia/Lord_Howe"))
        #expect(korean.window(week) == "2026년 11월 9일(월) – 15일(일) 한 주 · Australia/Lord_Howe (UTC+11)")
        #expect(english.window(week) == "the week Mon 9 – Sun 15 November 2026 · Australia/Lord_Howe (UTC+11)")
    }

    @Test func aSpanNamesItsMonthAndYearOnlyWhereTheyChange() throws {
        func days(_ first: String, _ last: String) throws -> (String, String) {
            let (first, last) = (try #require(Day(first)), try #require(Day(last)))
            return (korean.days(from: first, through: last), english.days(from: first, through: last))
        }
        #expect(try days("2026-11-11", "2026-11-11") == ("2026년 11월 11일(수)", "Wed 11 November 2026"))
        #expect(
            try days("2026-11-30", "2026-12-06") == (
                "2026년 11월 30일(월) – 12월 6일(일)", "Mon 30 November – Sun 6 December 2026"
            ))
        #expect(
            try days("2026-12-28", "2027-01-03") == (
                "2026년 12월 28일(월) – 2027년 1월 3일(일)", "Mon 28 December 2026 – Sun 3 January 2027"
            ))
    }

    @Test(arguments: [
        ("Asia/Seoul", "2026년 11월 11일(수) 14:00 (UTC+9)"), ("UTC", "2026년 11월 11일(수) 05:00 (UTC)"),
        ("Asia/Kathmandu", "2026년 11월 11일(수) 10:45 (UTC+5:45)"),
        ("America/St_Johns", "2026년 11월 11일(수) 01:30 (UTC-3:30)"), ("No/Where", "2026년 11월 11일(수) 05:00 (UTC)"),
    ])
    func aMomentShowsTheClockOfItsZone(_ zone: String, _ text: String) {
        #expect(korean.moment(ZonedMoment(Timestamp(seconds: 1_794_373_200), zone: zone)) == text)
    }

    @Test func theTwoHalvesOfARepeatedHourAreToldApart() {
        let zone = "Europe/Berlin"
        let texts = [1_792_888_200, 1_792_891_800].map {
            english.moment(ZonedMoment(Timestamp(seconds: $0), zone: zone))
        }
        #expect(texts == ["Sun 25 October 2026, 02:30 (UTC+2)", "Sun 25 October 2026, 02:30 (UTC+1)"])
    }

    @Test func whatABillAloneSaysNamesNoTimeAndNoPace() {
        var event = Samples.crossed
        (event.basis, event.usageThrough) = ("billed", 0)
        for (language, basis) in [(NoticeLanguage.korean, "청구서"), (.english, "billed")] {
            let words = language.words
            let teller = Teller(words: words, settings: Samples.settings, destination: "slack")
            let rows = teller.crossing(event).rows
            let asOf = rows.first { $0.caption == words.caption(.asOf) }?.value.plain
            #expect(asOf?.hasPrefix("\(basis) · ") == true)
            #expect(!rows.contains { $0.caption == words.caption(.forecast) })
        }
    }

    @Test func everyLabelAndCaptionSaysSomethingOfItsOwn() {
        for words in [korean, english] as [any Words] {
            #expect(Set(Label.allCases.map(words.label)).count == Label.allCases.count)
            #expect(Set(Caption.allCases.map(words.caption)).count == Caption.allCases.count)
        }
    }
}
