package import EventLog

/// When a channel takes what is not urgent: outside its quiet hours, and, where it has a digest, once a day.
package struct DeliverySchedule: Sendable {
    private static let canaryMinutes: UInt32 = 9 * 60

    private let calendar: BusinessCalendar
    private let quiet: (from: UInt32, to: UInt32)?
    private let digestAt: UInt32?
    /// Whether a message a day shows that the path works.
    let hasCanary: Bool
    /// When it was stated.
    let since: Timestamp

    /// - Returns: nil for a zone that the system does not know: rather no schedule than no alert.
    package init?(_ event: WireChannelScheduleSet, since: Timestamp) {
        guard let calendar = BusinessCalendar(event.zone) else { return nil }
        self.calendar = calendar
        quiet =
            event.hasQuietFrom && event.hasQuietTo && event.quietFrom != event.quietTo
            ? (event.quietFrom, event.quietTo) : nil
        digestAt = event.hasDigestAt ? event.digestAt : nil
        hasCanary = event.canary
        self.since = since
    }

    /// The end of the quiet hours that an instant lies in; nil outside them.
    package func quietEnd(at now: Timestamp) -> Timestamp? {
        guard let quiet else { return nil }
        let today = calendar.day(of: now)
        for first in [today.advanced(by: -1), today] {
            let last = quiet.from < quiet.to ? first : first.advanced(by: 1)
            let end = instant(last, quiet.to)
            if instant(first, quiet.from) <= now, now < end { return end }
        }
        return nil
    }

    /// The last digest at or before an instant, and the first one after it; nil where every message goes at once.
    package func digests(around now: Timestamp) -> (last: Timestamp, next: Timestamp)? {
        guard let digestAt else { return nil }
        let today = calendar.day(of: now)
        let all = (-2...2).map { instant(today.advanced(by: $0), digestAt) }
        guard let last = all.last(where: { $0 <= now }), let next = all.first(where: { $0 > now }) else { return nil }
        return (last, next)
    }

    /// The day whose canary is due by now: it flies at 09:00. None for the time before it was asked for.
    package func canaryDay(at now: Timestamp) -> Day? {
        guard hasCanary else { return nil }
        let today = calendar.day(of: now)
        let flight = instant(today, Self.canaryMinutes)
        return since <= flight && flight <= now ? today : nil
    }

    private func instant(_ day: Day, _ minutes: UInt32) -> Timestamp {
        calendar.instant(of: day, secondsFromMidnight: Int64(minutes) * 60)
    }
}
