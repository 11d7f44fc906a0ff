import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct BusinessCalendarTests {
    private func hours(_ zone: String, _ text: String) throws -> Double {
        let calendar = try #require(BusinessCalendar(zone))
        let span = calendar.span(from: day(text), through: day(text))
        return Double(span.upperBound.seconds - span.lowerBound.seconds) / 3_600
    }

    @Test(arguments: [
        ("Asia/Seoul", "2026-11-20", 24.0), ("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23), ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5), ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Asia/Kathmandu", "2026-01-01", 24), ("Pacific/Apia", "2011-12-29", 24), ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 24),
    ])
    func daysAreAsLongAsTheZoneSays(_ zone: String, _ text: String, _ expected: Double) throws {
        #expect(try hours(zone, text) == expected)
    }

    @Test(arguments: [
        "Asia/Seoul", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "UTC",
        "America/Sao_Paulo",
    ])
    func everyInstantLiesInTheSpanOfItsDay(_ zone: String) throws {
        let calendar = try #require(BusinessCalendar(zone))
        var random = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            let instant = Timestamp(seconds: Int64.random(in: 1_300_000_000...1_800_000_000, using: &random))
            let day = calendar.day(of: instant)
            #expect(calendar.span(from: day, through: day).contains(instant), "\(zone) \(instant.seconds)")
        }
    }

    @Test func consecutiveDaysLeaveNoGapAndDoNotOverlap() throws {
        let calendar = try #require(BusinessCalendar("America/New_York"))
        var at = day("2026-01-01")
        while at < day("2027-01-01") {
            let next = at.advanced(by: 1)
            #expect(
                calendar.span(from: at, through: at).upperBound == calendar.span(from: next, through: next).lowerBound)
            at = next
        }
    }

    @Test func aDayWithoutMidnightBeginsAtItsFirstMoment() throws {
        let calendar = try #require(BusinessCalendar("America/Sao_Paulo"))
        // Clocks went from 23:59:59 to 01:00 on 4 November 2018.
        #expect(calendar.start(of: day("2018-11-04")).seconds == hour("2018-11-04", 3))
        #expect(calendar.day(of: Timestamp(seconds: hour("2018-11-04", 3) - 1)) == day("2018-11-03"))
    }

    @Test(arguments: [
        ("2026-03-08", 1.0, 6.0), ("2026-03-08", 9, 13), ("2026-11-01", 0.5, 4.5), ("2026-11-01", 1.5, 5.5),
        ("2026-11-01", 9, 14), ("2026-11-20", 9, 14),
    ])
    func aTimeOfDayIsWhatTheClocksShowAlsoWhenTheyChange(_ text: String, _ local: Double, _ utc: Double) throws {
        let calendar = try #require(BusinessCalendar("America/New_York"))
        let instant = calendar.instant(of: day(text), secondsFromMidnight: Int64(local * 3_600))
        #expect(instant.seconds == day(text).utcStart.seconds + Int64(utc * 3_600))
    }

    @Test(arguments: [
        ("2026-11-22", "2026-W47"), ("2026-11-23", "2026-W48"), ("2027-01-01", "2026-W53"), ("2025-12-29", "2026-W01"),
        ("2024-12-30", "2025-W01"), ("2021-01-03", "2020-W53"),
    ])
    func weeksBeginOnMondayAndBelongToTheYearOfTheirThursday(_ text: String, _ week: String) {
        #expect(day(text).isoWeek == week)
    }

    @Test(arguments: ["2026-02-29", "2026-13-01", "2026-1-01", "20261120", "", "2026-11-20x", "-026-11-20"])
    func whatIsNoDayIsNotRead(_ text: String) { #expect(FinOps.Day(text) == nil) }

    @Test func aZoneNobodyKnowsIsNotGuessed() { #expect(BusinessCalendar("Asia/Soul") == nil) }
}
