import EventLog
import FinOps
import TestSupport

/// A log with a watcher on it: what the stage does, without anything that waits. Commits are taken one by one; days are read
/// from the log when the watch asks for them, as far as it has come.
struct WatchedLog {
    struct Entry {
        let event: FinOpsEvent
        let recorded: Timestamp
        /// Entries of one commit share it.
        let commit: Int
        /// Not one of the watcher's.
        let isNews: Bool
    }

    private(set) var entries: [Entry] = []
    /// Entries that are handled for good: where a new watch begins.
    private(set) var checkpoint = 0
    private var commits = 0
    private var watch = ThresholdWatch(currency: .usd)
    private var handled = 0

    // MARK: Appending

    mutating func append(_ events: [FinOpsEvent], at recorded: Timestamp) {
        append(events, at: recorded, isNews: true)
    }

    private mutating func append(_ events: [FinOpsEvent], at recorded: Timestamp, isNews: Bool) {
        commits += 1
        entries += events.map { Entry(event: $0, recorded: recorded, commit: commits, isNews: isNews) }
    }

    /// Appends a commit and watches it.
    /// - Returns: what was found, in words.
    @discardableResult
    mutating func take(_ events: FinOpsEvent..., at recorded: String = "2026-11-20T12:00") -> [String] {
        append(events, at: moment(recorded))
        return catchUp().map(\.words)
    }

    // MARK: Watching

    /// Handles what there is.
    /// - Parameter limit: at most that many entries, even if they end within a commit.
    /// - Returns: what was found, which is appended too.
    @discardableResult
    mutating func catchUp(atMost limit: Int = .max) -> [FinOpsEvent] {
        var found: [FinOpsEvent] = []
        let end = min(entries.count, handled.addingReportingOverflow(limit).overflow ? .max : handled + limit)
        while handled < end {
            let entry = entries[handled]
            fold(entry)
            handled += 1
            if handled < entries.count, entries[handled].commit == entry.commit { continue }
            let findings = watch.settle(at: Position(UInt64(handled)))
            checkpoint = handled
            found += findings
            if !findings.isEmpty { append(findings, at: entry.recorded, isNews: false) }
        }
        return found
    }

    private mutating func fold(_ entry: Entry) {
        if let day = entry.event.costDay {
            read(watch.missingDays(for: day))
            take(entry.event, of: day)
        } else if watch.evolve(entry.event, recorded: entry.recorded) {
            read(watch.missingDays(around: entry.recorded))
            watch.lookAtAll(entry.recorded)
        }
    }

    /// Events in turn as they are decoded, as the log has them, and as neighbours of others: all ways find the same.
    private mutating func take(_ event: FinOpsEvent, of day: Day) {
        let raw = event.newEvent(id: .none, occurred: Timestamp(seconds: 0))
        guard !handled.isMultiple(of: 3), ThresholdWatch.isReadable(raw.type, schema: raw.schema) else {
            return watch.take(event, of: day)
        }
        if handled % 3 == 1, watch.take(raw: [neighbour(raw)], of: day) == 1 { return }
        do { try watch.take(raw: raw, of: day) } catch { preconditionFailure("it was written just now: \(error)") }
    }

    private mutating func read(_ days: [Day]) {
        for day in days {
            let costs = entries.prefix(handled).map(\.event).filter { $0.costDay == day }
            let alerts = entries.map(\.event).filter { $0.alertDay == day }
            watch.insert(costs + alerts, for: day)
        }
    }

    /// What the watcher knew is gone; it begins again where the log says that it was.
    mutating func restart() {
        watch = ThresholdWatch(currency: .usd)
        handled = checkpoint
        for entry in entries.prefix(checkpoint) where entry.event.costDay == nil {
            _ = watch.evolve(entry.event, recorded: entry.recorded)
        }
    }
}

/// An instant in UTC: `2026-11-20T12:00`.
func moment(_ text: String) -> Timestamp { Timestamp(rfc3339: text + ":00Z")! }

/// An event at a place of the log that nobody asks about.
func neighbour(_ event: NewEvent) -> RecordedEvent {
    RecordedEvent(
        position: Position(1), stream: "usage-acme-2026-11-20", version: StreamVersion(1),
        recorded: Timestamp(seconds: 0), producer: "test", producerSequence: 1, event: event)
}
