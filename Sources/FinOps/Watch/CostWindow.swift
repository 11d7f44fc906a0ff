package import EventLog

/// Whose cost a threshold limits.
package enum CostScope: Hashable, Sendable {
    case project(String)
    case team(String)
    case organisation

    /// `project`, `team` or `organisation`.
    package var kind: String {
        switch self {
        case .project: "project"
        case .team: "team"
        case .organisation: "organisation"
        }
    }

    /// The project's or team's name; empty for the organisation.
    package var name: String {
        switch self {
        case .project(let name), .team(let name): name
        case .organisation: ""
        }
    }

    /// - Returns: nil for a kind that is not known.
    package init?(kind: String, name: String) {
        switch kind {
        case "project": self = .project(name)
        case "team": self = .team(name)
        case "organisation": self = .organisation
        default: return nil
        }
    }
}

/// A stretch of the calendar over which costs are summed.
package enum WindowKind: String, Hashable, Sendable, CaseIterable {
    case day
    case week
}

/// One day or week of a zone, half-open. A cost belongs to the window in which its hour begins.
package struct CostWindow: Hashable, Sendable {
    package let kind: WindowKind
    /// Its first day; of a week, the Monday.
    package let firstDay: Day
    package let start: Timestamp
    package let end: Timestamp

    /// The window of a kind that an instant lies in.
    package init(_ kind: WindowKind, containing instant: Timestamp, _ calendar: BusinessCalendar) {
        let day = calendar.day(of: instant)
        self.init(kind, first: kind == .day ? day : day.monday, calendar)
    }

    init(_ kind: WindowKind, first: Day, _ calendar: BusinessCalendar) {
        self.kind = kind
        firstDay = first
        let span = calendar.span(from: first, through: first.advanced(by: kind == .day ? 0 : 6))
        (start, end) = (span.lowerBound, span.upperBound)
    }

    package func contains(_ second: Int64) -> Bool { start.seconds <= second && second < end.seconds }

    /// The window before this one.
    package func previous(_ calendar: BusinessCalendar) -> CostWindow {
        // The instant before its start: a day that a zone left out has no window.
        CostWindow(kind, containing: Timestamp(seconds: start.seconds - 1), calendar)
    }

    /// The UTC days it touches.
    package var utcDays: ClosedRange<Int> {
        Day(utc: start).number...Day(utc: Timestamp(seconds: max(end.seconds - 1, start.seconds))).number
    }
}
