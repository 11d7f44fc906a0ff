import EventLog
import FinOps

/// An instant as the clocks of a zone show it.
struct ZonedMoment: Hashable, Sendable {
    let day: Day
    /// `14:05`.
    let clock: String
    /// `UTC+9`, `UTC-3:30`: two zones, or the two halves of a repeated hour, are told apart.
    let offset: String

    /// - Parameter zone: an IANA name; what the system does not know is shown in UTC.
    init(_ instant: Timestamp, zone: String) {
        let seconds = BusinessCalendar(zone)?.offsetSeconds(at: instant) ?? 0
        let local = instant.advanced(bySeconds: Int64(seconds))
        day = Day(utc: local)
        let minutes = Int((local.seconds - day.utcStart.seconds) / 60)
        clock = Self.twoDigits(minutes / 60) + ":" + Self.twoDigits(minutes % 60)
        let (hours, rest) = (seconds.magnitude / 3_600, seconds.magnitude / 60 % 60)
        offset =
            "UTC"
            + (seconds == 0 ? "" : (seconds < 0 ? "-" : "+") + "\(hours)")
            + (rest == 0 ? "" : ":" + Self.twoDigits(Int(rest)))
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

/// The days a window covers, and the zone whose days they are.
struct WindowSpan: Hashable, Sendable {
    let kind: WindowKind
    let firstDay: Day
    let zone: String
    /// Of the zone when the window begins.
    let offset: String

    /// - Returns: nil for a window that no writer of ours makes.
    init?(kind: String, firstDay: String, zone: String) {
        guard let kind = WindowKind(rawValue: kind), let day = Day(firstDay) else { return nil }
        self.kind = kind
        self.firstDay = day
        self.zone = OutsideText.name(zone)
        offset = ZonedMoment(BusinessCalendar(zone)?.start(of: day) ?? day.utcStart, zone: zone).offset
    }

    var lastDay: Day { kind == .day ? firstDay : firstDay.advanced(by: 6) }
}
