package import EventLog

/// Which part of a window a stage was up, from the times at which it became ready and ended.
package struct Uptime: Hashable, Sendable {
    private var upSince: Timestamp?
    private var upMicroseconds: Int64 = 0
    private var first: Timestamp?
    private var last: Timestamp?
    private let window: Range<Timestamp>

    /// - Parameter window: half-open; only what lies inside it counts.
    package init(window: Range<Timestamp>) { self.window = window }

    /// More than a correction of the wall's clock.
    private static let otherClockSeconds: Int64 = 86_400

    /// Time that goes back by days belongs to another clock, a demo's after real time: what the earlier one counted is
    /// forgotten.
    /// - Parameter isUp: whether it became ready, or ended. In the order of the log.
    package mutating func changed(isUp: Bool, at instant: Timestamp) {
        if let last, instant < last.advanced(bySeconds: -Self.otherClockSeconds) { self = Uptime(window: window) }
        last = instant
        if first == nil { first = instant }
        if isUp {
            upSince = upSince ?? instant
        } else if let since = upSince {
            add(since, instant)
            upSince = nil
        }
    }

    private mutating func add(_ from: Timestamp, _ to: Timestamp) {
        let start = max(from, window.lowerBound).microseconds
        upMicroseconds += max(0, min(to, window.upperBound).microseconds - start)
    }

    /// From 0 to 1; nil if it was never started. A stage younger than the window is measured from its first start.
    package var ratio: Double? {
        guard let first else { return nil }
        var whole = self
        if let since = upSince { whole.add(since, window.upperBound) }
        let span = window.upperBound.microseconds - max(first, window.lowerBound).microseconds
        return span > 0 ? min(1, Double(whole.upMicroseconds) / Double(span)) : nil
    }
}
