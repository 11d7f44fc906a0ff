import EventLog
import FinOps
import Foundation
import TestSupport
import Testing

/// Windows of many zones around the days on which their clocks change, and other days at which something ends.
@Suite struct WindowTimeTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let zone: String
        let boundary: String
        var testDescription: String { "\(zone) around \(boundary)" }
    }

    private static let zones = [
        "Asia/Seoul", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo",
        "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Africa/Cairo", "Asia/Beirut", "Africa/Casablanca",
        "Pacific/Kiritimati", "Etc/GMT+12", "UTC",
    ]

    private static let boundaries = [
        "2026-03-08", "2026-11-01",  // New York's 23 and 25 hours
        "2026-03-29", "2026-10-25",  // London's, and Beirut's, which change at midnight
        "2026-04-05", "2026-10-04",  // Lord Howe's half hour
        "2011-12-30",  // not in Apia
        "2018-11-04", "2018-02-18",  // São Paulo's days without a midnight, and with two
        "2026-04-24", "2026-10-29",  // Cairo's
        "2026-01-31", "2026-02-28", "2024-02-29", "2026-04-30", "2025-12-31", "2026-12-31",  // ends of months and years
        "2026-11-15", "2026-11-22", "2024-12-29",  // Sundays
    ]

    private static let cases = zones.flatMap { zone in boundaries.map { Case(zone: zone, boundary: $0) } }

    @Test func thereAreThreeHundredCases() { #expect(Self.cases.count == 300) }

    @Test(arguments: cases) func windowsSumToTheTotalAndFireOncePerLevel(_ what: Case) throws {
        var random = SeededGenerator(seed: UInt64(what.boundary.utf8.reduce(0) { $0 &* 31 &+ Int($1) }))
        let first = day(what.boundary).advanced(by: -2).utcStart.seconds
        let hours = (0..<5 * 24).map { first + Int64($0) * 3_600 }.shuffled(using: &random)
        let expected = try sums(of: hours, what.zone)
        var log = WatchedLog()
        var found: [String] = []
        func take(_ events: [FinOpsEvent]) {
            // Clocks jump both ways: windows are those of the usage, not of the moment at which it is told.
            log.append(
                events, at: Timestamp(seconds: first + Int64.random(in: -1_000...1_000, using: &random) * 86_400))
            found += log.catchUp().map(\.words)
            if Bool.random(using: &random) { log.restart() }
        }
        take([Watched.threshold(.organisation, daily: 20, weekly: 20, levels: [50, 100], zone: what.zone)])
        var rest = hours[...]
        while !rest.isEmpty {
            take(rest.prefix(7).map { Watched.usage(10, at: $0) })
            rest = rest.dropFirst(7)
        }
        let crossings = found.map { $0.prefix { $0 != "%" } }
        #expect(Set(crossings).count == crossings.count, "a level was found twice")
        let levels = expected.mapValues { $0 >= 20 ? 2 : 1 }.values.reduce(0, +)
        #expect(crossings.count == levels)

        // What stands is taken back with the window's whole sum.
        log.append([Watched.removed(.organisation)], at: Timestamp(seconds: first + 5 * 86_400))
        var told: [String: String] = [:]
        for case .thresholdCleared(let event) in log.catchUp() {
            told["\(event.window) \(event.firstDay)"] = event.cost.text
        }
        #expect(told == expected.mapValues { Watched.money($0).text })
        for kind in ["day", "week"] {
            #expect(expected.filter { $0.key.hasPrefix(kind) }.values.reduce(0, +) == Int64(hours.count) * 10)
        }
    }

    /// Cents by window, as Foundation's calendar sees it: 10 for each hour.
    private func sums(of hours: [Int64], _ zone: String) throws -> [String: Int64] {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = try #require(TimeZone(identifier: zone))
        var sums: [String: Int64] = [:]
        for hour in hours {
            let parts = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: TimeInterval(hour)))
            let day = Day(year: parts.year!, month: parts.month!, day: parts.day!)
            sums["day \(day)", default: 0] += 10
            sums["week \(day.monday)", default: 0] += 10
        }
        return sums
    }

    @Test(arguments: [
        ("America/New_York", "2026-03-08", 23), ("America/New_York", "2026-11-01", 25),
        ("Asia/Seoul", "2026-11-01", 24),
    ])
    func daysHaveAsManyHoursAsTheZoneSays(_ zone: String, _ text: String, _ count: Int64) throws {
        var log = WatchedLog()
        log.take(Watched.threshold(.organisation, daily: count, levels: [100], zone: zone), at: "2026-01-01T00:00")
        let first = day(text).advanced(by: -1).utcStart.seconds
        // A cent an hour: the limit is reached with the day's last hour.
        let found = (0..<72).map { first + $0 * 3_600 }.flatMap { hour in
            log.take(Watched.usage(1, at: hour)).map { ($0, hour) }
        }
        let calendar = try #require(BusinessCalendar(zone))
        let last = calendar.start(of: day(text).advanced(by: 1)).seconds - 3_600
        #expect(found.contains { $0.1 == last && $0.0.hasPrefix("day \(text) ") })
    }

    /// `WindowGroup` relies on it.
    @Test func everyHourLiesInItsWindowInEveryZone() throws {
        var random = SeededGenerator(seed: 11)
        for identifier in TimeZone.knownTimeZoneIdentifiers {
            let calendar = try #require(BusinessCalendar(identifier))
            var at = Date(
                timeIntervalSince1970: TimeInterval(Int64.random(in: 900_000_000...1_700_000_000, using: &random)))
            for _ in 0..<4 {
                if let next = calendar.zone.nextDaylightSavingTimeTransition(after: at) { at = next }
                let hour = Int64(at.timeIntervalSince1970) / 3_600 * 3_600
                for offset in -1...1 {
                    for kind in WindowKind.allCases {
                        let instant = Timestamp(seconds: hour + Int64(offset) * 3_600)
                        let window = CostWindow(kind, containing: instant, calendar)
                        #expect(window.contains(instant.seconds), "\(identifier) \(instant.seconds)")
                    }
                }
            }
        }
    }
}

extension Watched {
    fileprivate static func usage(_ cents: Int64, at second: Int64) -> FinOpsEvent {
        let day = Day(utc: Timestamp(seconds: second))
        return usage(cents, day.description, (second - day.utcStart.seconds) / 3_600)
    }
}
