package import EventLog
package import Foundation
import FoundationInternationalization

/// A calendar day without a zone: `2026-11-20`.
package struct Day: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Days since 1970-01-01 in the proleptic Gregorian calendar.
    package let number: Int

    package init(number: Int) { self.number = number }

    /// The UTC day an instant lies in.
    package init(utc instant: Timestamp) {
        let (quotient, remainder) = instant.seconds.quotientAndRemainder(dividingBy: 86_400)
        number = Int(remainder < 0 ? quotient - 1 : quotient)
    }

    /// Reads `YYYY-MM-DD`; nil for anything else, such as a 30th of February.
    package init?(_ text: some StringProtocol) {
        guard let number = CivilDate.number(text) else { return nil }
        self.init(number: number)
    }

    package init(year: Int, month: Int, day: Int) {
        self.init(number: CivilDate.number(year: year, month: month, day: day))
    }

    /// In the proleptic Gregorian calendar; month and day count from 1.
    package var civil: (year: Int, month: Int, day: Int) { CivilDate.parts(of: number) }

    /// 1 Monday … 7 Sunday.
    package var weekday: Int { ((number + 3) % 7 + 7) % 7 + 1 }

    /// The Monday of its week.
    package var monday: Day { Day(number: number - weekday + 1) }

    /// ISO 8601 week: `2026-W47`.
    package var isoWeek: String {
        let thursday = Day(number: monday.number + 3)
        let year = thursday.civil.year
        let week = (thursday.number - Day(year: year, month: 1, day: 1).number) / 7 + 1
        return "\(year)-W" + (week < 10 ? "0\(week)" : "\(week)")
    }

    /// `2026-11`.
    package var month: String { String(description.prefix(7)) }

    /// The day that many days later.
    package func advanced(by days: Int) -> Day { Day(number: number + days) }

    /// The first instant of this day in UTC.
    package var utcStart: Timestamp { Timestamp(seconds: Int64(number) * 86_400) }

    /// `YYYY-MM-DD`.
    package var description: String { CivilDate.text(of: number) }

    package static func < (left: Day, right: Day) -> Bool { left.number < right.number }
}

/// Days of a time zone: 23, 24 or 25 hours long, beginning where the zone says.
package struct BusinessCalendar: Sendable {
    package let zone: TimeZone

    /// - Parameter identifier: an IANA name, such as `Asia/Seoul`; nil if the system does not know it.
    package init?(_ identifier: String) {
        guard let zone = TimeZone(identifier: identifier) else { return nil }
        self.zone = zone
    }

    /// The version of the zones' data. Naming it makes a statically linked program carry that data: the linker leaves it out
    /// where nothing does, and `TimeZone` then ends the program.
    package static var dataVersion: String { TimeZone.timeZoneDataVersion }

    /// How far the zone is ahead of UTC at an instant.
    package func offsetSeconds(at instant: Timestamp) -> Int {
        zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(instant.seconds)))
    }

    /// The zone's day an instant lies in.
    package func day(of instant: Timestamp) -> Day {
        Day(utc: instant.advanced(bySeconds: Int64(offsetSeconds(at: instant))))
    }

    /// The first instant of a day: midnight, or the first moment after a gap that swallowed it.
    package func start(of day: Day) -> Timestamp {
        // Offsets lie between −12 and +14 hours, and change at most by a day (Apia); a binary search over instants finds
        // the first one whose local day is not before `day`.
        var low = day.utcStart.seconds - 36 * 3_600
        var high = day.utcStart.seconds + 36 * 3_600
        while low < high {
            let middle = low + (high - low) / 2
            if self.day(of: Timestamp(seconds: middle)) < day { low = middle + 1 } else { high = middle }
        }
        return Timestamp(seconds: low)
    }

    /// When the zone's clocks show a time of day: the earlier instant where they show it twice, the time of the old offset
    /// where they skip it.
    package func instant(of day: Day, secondsFromMidnight seconds: Int64) -> Timestamp {
        let plain = day.utcStart.advanced(bySeconds: seconds)
        let guess = plain.advanced(bySeconds: -Int64(offsetSeconds(at: start(of: day))))
        return plain.advanced(bySeconds: -Int64(offsetSeconds(at: guess)))
    }

    /// The half-open span of the days `first` … `last`.
    package func span(from first: Day, through last: Day) -> Range<Timestamp> {
        let start = start(of: first)
        return start..<max(start, self.start(of: last.advanced(by: 1)))
    }
}
