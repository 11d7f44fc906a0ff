import EventLog
import FinOps

/// Business days of bucket starts, remembered per quarter of an hour: asking the zone costs more than storing a row.
struct BusinessDays {
    let calendar: BusinessCalendar
    private var days: [Int64: Int64] = [:]
    private var last: (slot: Int64, day: Int64) = (.min, 0)
    private static let limit = 200_000

    init(calendar: BusinessCalendar) { self.calendar = calendar }

    /// The day number of an instant in Unix seconds.
    mutating func day(of second: Int64) -> Int64 {
        let slot = second / 900
        if slot == last.slot { return last.day }
        if days.count >= Self.limit { days.removeAll(keepingCapacity: true) }
        let day = days[slot] ?? Int64(calendar.day(of: Timestamp(seconds: second)).number)
        days[slot] = day
        last = (slot, day)
        return day
    }

    /// The seconds that lie both in a business day and in a UTC day.
    func part(day: Int, ofUTCDay utcDay: Int) -> Range<Int64> {
        let day = calendar.span(from: Day(number: day), through: Day(number: day))
        let lower = max(day.lowerBound.seconds, Int64(utcDay) * 86_400)
        return lower..<max(lower, min(day.upperBound.seconds, Int64(utcDay + 1) * 86_400))
    }
}
