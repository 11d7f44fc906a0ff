package import EventLog
package import FinOps

/// When collections are due: the daily run at a time of day in the business zone, the running day every few minutes.
package struct CollectionSchedule: Sendable {
    /// Of the business zone.
    package let calendar: BusinessCalendar
    /// Seconds from midnight to the daily run.
    package let dailySeconds: Int
    /// Polls are due at whole multiples of this; at least 1.
    package let pollSeconds: Int64
    /// Days before yesterday that a daily run reads again, because providers restate.
    package let trailingDays: Int

    package init(calendar: BusinessCalendar, dailySeconds: Int, pollSeconds: Int64, trailingDays: Int) {
        self.calendar = calendar
        self.dailySeconds = dailySeconds
        self.pollSeconds = max(1, pollSeconds)
        self.trailingDays = max(0, trailingDays)
    }

    /// The newest day whose daily run is due: also one that was missed while nobody ran.
    package func dailyDate(at now: Timestamp) -> Day {
        let today = calendar.day(of: now)
        return moment(of: today) <= now ? today : today.advanced(by: -1)
    }

    /// The business days that the daily run of a date collects: the day before it, and the trailing ones before that.
    package func days(ofDailyRun date: Day) -> ClosedRange<Day> {
        let yesterday = date.advanced(by: -1)
        return yesterday.advanced(by: -trailingDays)...yesterday
    }

    /// When to look again: at the next whole poll interval or daily run. However many were missed, it is one.
    package func next(after now: Timestamp) -> Timestamp {
        let poll = Timestamp(seconds: (now.seconds / pollSeconds + 1) * pollSeconds)
        let today = calendar.day(of: now)
        let daily = [moment(of: today), moment(of: today.advanced(by: 1))].first { $0 > now } ?? poll
        return min(poll, daily)
    }

    /// The daily run's instant.
    private func moment(of date: Day) -> Timestamp {
        calendar.instant(of: date, secondsFromMidnight: Int64(dailySeconds))
    }
}
