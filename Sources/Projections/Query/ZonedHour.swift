package import EventLog
package import FinOps

/// Instants as people of the business zone write them: RFC 3339 with the zone's offset.
package enum ZonedHour {
    /// The beginning of the hour an instant lies in, such as `2026-11-20T14:00:00+09:00`.
    static func text(of second: Int64, _ calendar: BusinessCalendar) -> String {
        text(at: Timestamp(seconds: second - second % 3_600), calendar)
    }

    /// The instant to the second.
    package static func text(at instant: Timestamp, _ calendar: BusinessCalendar) -> String {
        let offset = calendar.offsetSeconds(at: instant)
        let local = instant.advanced(bySeconds: Int64(offset))
        let rest = Int(local.seconds - Day(utc: local).utcStart.seconds)
        let minutes = abs(offset) / 60
        return "\(Day(utc: local))T\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
            + (offset < 0 ? "-" : "+") + "\(two(minutes / 60)):\(two(minutes % 60))"
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
