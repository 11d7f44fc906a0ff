package import EventLog
package import FinOps
package import Logging

/// Plays a threshold over the log as if it had always been armed: what would have been found, without anything being written.
package struct ThresholdReplay: Sendable {
    /// A crossing that would have been, and what became of it.
    package struct Crossing: Sendable {
        package let crossed: WireThresholdCrossed
        /// When the log knew it.
        package let known: Timestamp
        /// nil for one that stood.
        package var cleared: Clearing?
    }

    /// What took a crossing back.
    package struct Clearing: Sendable {
        package let cleared: WireThresholdCleared
        /// When the log knew it.
        package let known: Timestamp
    }

    /// What a replay came to.
    package struct Outcome: Sendable {
        /// In the order in which they would have been told.
        package fileprivate(set) var crossings: [Crossing] = []
        /// Everything up to here was looked at.
        package let position: Position
        /// Costs that were looked at.
        package fileprivate(set) var events = 0
        /// Events that were left out because they cannot be read.
        package fileprivate(set) var unreadable: [String] = []
    }

    private static let batchEvents = 5_000

    private let reader: any EventReader
    private let threshold: WireThresholdSet
    private let calendar: BusinessCalendar
    private let currency: Currency
    private let days: ClosedRange<Day>
    private let logger: Logger

    /// - Parameters:
    ///   - days: of the threshold's zone; windows that touch them are looked at.
    ///   - calendar: of the threshold's zone.
    package init(
        of threshold: WireThresholdSet, over days: ClosedRange<Day>, calendar: BusinessCalendar, currency: Currency,
        reader: any EventReader, logger: Logger
    ) {
        self.reader = reader
        self.threshold = threshold
        self.calendar = calendar
        self.currency = currency
        self.days = days
        self.logger = logger
    }

    /// - Parameter onProgress: told how many events have been looked at, of how many.
    /// - Throws: `StoreError`; `CancellationError`.
    package func run(onProgress: @Sendable (_ done: Int, _ of: Int) -> Void = { _, _ in }) async throws -> Outcome {
        let head = try await reader.head()
        let utcDays = self.utcDays
        let streams = try await streams(of: utcDays)
        let total = Int(clamping: streams.reduce(0) { $0 + $1.version.value })
        let evaluation = ThresholdEvaluation(
            stage: ThresholdWatcher.stage, currency: currency, reader: reader, logger: logger)
        try await evaluation.beginReplay(of: threshold, days: utcDays, head: head)
        var outcome = Outcome(position: head)
        var merged = try await MergedStreams(streams.map(\.stream), through: head, reader: reader)
        var batch = try await merged.next(Self.batchEvents)
        while !batch.isEmpty {
            try Task.checkCancellation()
            let current = batch
            outcome.events += current.count
            onProgress(outcome.events, max(total, outcome.events))
            // The next batch is read while this one is judged.
            async let verdict = evaluation.judge(current, through: head, isAtHead: false)
            batch = try await merged.next(Self.batchEvents)
            take(try await verdict, into: &outcome)
        }
        take(try await evaluation.judge([], through: head, isAtHead: true), into: &outcome)
        return outcome
    }

    /// What the windows that touch the days reach into, and the windows before them, with which they are compared.
    private var utcDays: ClosedRange<Day> {
        var bounds: (first: Int, last: Int)?
        for kind in WindowKind.allCases where kind == .day ? threshold.hasDaily : threshold.hasWeekly {
            let first = CostWindow(kind, containing: calendar.start(of: days.lowerBound), calendar)
            let last = CostWindow(kind, containing: calendar.start(of: days.upperBound), calendar)
            let before = first.previous(calendar)
            // Usage of the day after says that a window's is known to its end.
            let (lower, upper) = (before.utcDays.lowerBound, last.utcDays.upperBound + 1)
            bounds = (min(bounds?.first ?? lower, lower), max(bounds?.last ?? upper, upper))
        }
        guard let bounds else { return days }
        return Day(number: bounds.first)...Day(number: bounds.last)
    }

    private func streams(of days: ClosedRange<Day>) async throws(StoreError) -> [StreamSummary] {
        var streams = try await reader.allStreams(prefix: "assignment-")
        streams += try await reader.allStreams(prefix: StreamName.projects.text)
        for prefix in ["usage-", "allocation-", "calls-"] {
            streams += try await reader.allStreams(prefix: prefix).filter { summary in
                summary.stream.accountDay.map { days.contains($0.day) } ?? false
            }
        }
        return streams
    }

    private func take(_ verdict: ThresholdEvaluation.Verdict, into outcome: inout Outcome) {
        for failure in verdict.failures {
            if case .processingFailed(let failed) = failure {
                outcome.unreadable.append("position \(failed.position): \(failed.error)")
            }
        }
        for finding in verdict.findings {
            switch finding.event {
            case .thresholdCrossed(let crossed) where touches(crossed.window, crossed.firstDay):
                outcome.crossings.append(Crossing(crossed: crossed, known: finding.cause.recorded))
            case .thresholdCleared(let cleared):
                let index = outcome.crossings.lastIndex {
                    $0.cleared == nil && $0.crossed.window == cleared.window
                        && $0.crossed.firstDay == cleared.firstDay && $0.crossed.level == cleared.level
                }
                if let index {
                    outcome.crossings[index].cleared = Clearing(cleared: cleared, known: finding.cause.recorded)
                }
            default: break
            }
        }
    }

    private func touches(_ window: String, _ firstDay: String) -> Bool {
        guard let kind = WindowKind(rawValue: window), let first = Day(firstDay) else { return false }
        return first <= days.upperBound && first.advanced(by: kind == .day ? 0 : 6) >= days.lowerBound
    }
}
