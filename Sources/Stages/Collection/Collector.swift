package import EventLog
package import FinOps
package import Logging

/// What a collection needs from outside.
package struct CollectionEnvironment: Sendable {
    /// Business time.
    package var now: @Sendable () -> Timestamp
    /// Waits, in seconds of business time.
    package var pause: @Sendable (Double) async throws -> Void
    /// A fresh id for a run or an event.
    package var newID: @Sendable () -> EventID
    package var logger: Logger
    /// Where runs under way are entered; nil where nobody needs to know.
    package var ledger: (any RunLedger)?

    package init(
        now: @escaping @Sendable () -> Timestamp, pause: @escaping @Sendable (Double) async throws -> Void,
        newID: @escaping @Sendable () -> EventID, logger: Logger, ledger: (any RunLedger)? = nil
    ) {
        self.now = now
        self.pause = pause
        self.newID = newID
        self.logger = logger
        self.ledger = ledger
    }
}

/// Collects an account's days: asks the provider, keeps the difference, and leaves a record of the run.
package struct Collector: Sendable {
    /// UTC days that are asked for at once: as many as a page of hourly buckets holds.
    private static let usageDaysAtOnce = 7
    private static let billDaysAtOnce = 90

    /// Told how many of the days are kept.
    package typealias Progress = @Sendable (_ kept: Int, _ of: Int) -> Void

    private let account: CollectedAccount
    private let source: any UsageSource
    private let log: any EventStore
    private let prices: CurrentPrices
    private let calendar: BusinessCalendar
    private let memory: DayMemory
    private let environment: CollectionEnvironment

    /// - Parameter memory: of earlier collections, so that only what is new is read from the log.
    package init(
        account: CollectedAccount, source: any UsageSource, log: any EventStore, prices: CurrentPrices,
        calendar: BusinessCalendar, memory: DayMemory = DayMemory(), environment: CollectionEnvironment
    ) {
        self.account = account
        self.source = source
        self.log = log
        self.prices = prices
        self.calendar = calendar
        self.memory = memory
        self.environment = environment
    }

    /// Collects business days: every UTC day they touch, up to now. A provider's failure is in the report, together with
    /// what was committed before it; a UTC day whose statement makes no sense is left out alone.
    /// - Parameter progress: told after each UTC day of usage that is kept: how many of how many.
    /// - Throws: `StoreError` if the log cannot be reached; `CancellationError`.
    package func collect(
        _ kind: CollectionKind, _ days: ClosedRange<Day>, progress: Progress = { _, _ in }
    ) async throws -> CollectionReport {
        var report = CollectionReport(account: account, kind: kind, days: days, run: environment.newID())
        guard let utcDays = Self.utcDays(of: days, calendar, until: environment.now()) else {
            report.note(["\(days.lowerBound) has not begun"])
            return report
        }
        let entry = RunEntry(
            account: account, kind: kind, days: days, run: report.run,
            stream: CollectionReport.stream(of: account, firstDay: utcDays.lowerBound))
        let entered = try environment.ledger?.enter(entry)
        let producer = FreshProducer(
            store: log, name: ProducerName("ingest-\(account.provider)-\(report.run)"), pause: environment.pause)
        if let ledger = environment.ledger {
            try await AbandonedRuns(ledger: ledger, log: log, environment: environment).close(through: producer)
        }
        try await producer.append([StreamAppend(entry.stream, [event(report.started, of: report)])])
        do {
            let before = await source.effort
            try await keep(utcDays, through: producer, into: &report, progress)
            let after = await source.effort
            report.effort = SourceEffort(
                requests: after.requests - before.requests, retries: after.retries - before.retries)
            try Task.checkCancellation()
        } catch is CancellationError {
            report.failure = SourceFailure(.cancelled, "the run was stopped; what it had committed stays")
            // The record is closed although the task is cancelled: outside it.
            try await Task { [report] in try await end(report, in: entry.stream, entered, producer) }.value
            throw CancellationError()
        }
        try await end(report, in: entry.stream, entered, producer)
        return report
    }

    private func end(
        _ report: CollectionReport, in stream: StreamName, _ entered: (any EnteredRun)?, _ producer: FreshProducer
    ) async throws {
        try await producer.append([StreamAppend(stream, [event(report.ended, of: report)])])
        try entered?.remove()
        tell(report)
    }

    private func keep(
        _ days: ClosedRange<Day>, through producer: FreshProducer, into report: inout CollectionReport,
        _ progress: Progress
    ) async throws {
        let keeper = DayKeeper(
            log: log, producer: producer, memory: memory, run: report.run, now: environment.now)
        do {
            try await keepUsage(of: days, keeper, into: &report, progress)
        } catch {
            report.failure = try Self.failure(error)
        }
        defer { report.judgeRejections() }
        // The bill is a statement of its own: usage that makes no sense does not keep it out, a key that is refused does.
        switch report.failure?.kind {
        case nil, .malformedAnswer, .misconfigured, .notFound, .refused: break
        default: return
        }
        do {
            try await keepBills(of: days, keeper, into: &report)
        } catch {
            let failure = try Self.failure(error)
            report.failure = report.failure ?? failure
        }
    }

    private func keepUsage(
        of days: ClosedRange<Day>, _ keeper: DayKeeper, into report: inout CollectionReport, _ progress: Progress
    ) async throws {
        let prices = try await prices.read()
        for span in days.pieces(of: Self.usageDaysAtOnce) {
            let answer = try await source.usage(of: span, at: environment.now())
            report.note(answer.notes)
            report.reject(.usage, answer.rejected)
            for (day, observation) in answer.observation.days.sorted(by: { $0.key < $1.key })
            where answer.rejected[day] == nil {
                try Task.checkCancellation()
                report.rows += observation.rows.count
                do { report.count(try await keeper.keep(day, observation, prices)) } catch let error as UsageRejection {
                    report.reject(.usage, [day: SourceFailure(.malformedAnswer, "\(error)")])
                }
                progress(day.number - days.lowerBound.number + 1, days.count)
            }
        }
    }

    private func keepBills(
        of days: ClosedRange<Day>, _ keeper: DayKeeper, into report: inout CollectionReport
    ) async throws {
        for span in days.pieces(of: Self.billDaysAtOnce) {
            guard let answer = try await source.bills(of: span, at: environment.now()) else { return }
            report.note(answer.notes)
            report.reject(.bill, answer.rejected)
            for (day, observation) in answer.observation.days.sorted(by: { $0.key < $1.key })
            where answer.rejected[day] == nil {
                try Task.checkCancellation()
                report.rows += observation.rows.count
                do { report.count(try await keeper.keep(day, observation)) } catch let error as BillRejection {
                    report.reject(.bill, [day: SourceFailure(.malformedAnswer, "\(error)")])
                }
            }
        }
    }

    /// What a run reports of an error; what is not the provider's goes on as it is.
    private static func failure(_ error: any Error) throws -> SourceFailure {
        if Task.isCancelled { throw CancellationError() }
        guard let failure = error as? SourceFailure else { throw error }
        return failure
    }

    private func event(_ event: FinOpsEvent, of report: CollectionReport) -> NewEvent {
        event.newEvent(id: environment.newID(), occurred: environment.now(), correlation: report.run)
    }

    private func tell(_ report: CollectionReport) {
        var details: Logger.Metadata = [
            "account": "\(account.name)", "run": "\(report.run)", "kind": "\(report.kind.rawValue)",
            "from": "\(report.days.lowerBound)", "to": "\(report.days.upperBound)", "rows": "\(report.rows)",
            "recorded": "\(report.recorded)", "restated": "\(report.restated)",
            "requests": "\(report.effort.requests)", "retries": "\(report.effort.retries)",
        ]
        if let failure = report.failure {
            details["code"] = "\(failure.code)"
            details["error"] = "\(failure.message)"
            environment.logger.warning("collection failed", metadata: details)
        } else {
            environment.logger.info("collected", metadata: details)
        }
    }

    /// The UTC days that business days touch, up to now; nil if none of them has begun.
    package static func utcDays(
        of days: ClosedRange<Day>, _ calendar: BusinessCalendar, until now: Timestamp
    ) -> ClosedRange<Day>? {
        let span = calendar.span(from: days.lowerBound, through: days.upperBound)
        guard span.lowerBound < now, !span.isEmpty else { return nil }
        let first = Day(utc: span.lowerBound)
        let last = Day(utc: Timestamp(microseconds: min(span.upperBound, now).microseconds - 1))
        return first...max(first, last)
    }
}

extension ClosedRange<Day> {
    fileprivate var count: Int { upperBound.number - lowerBound.number + 1 }

    /// The same days in order, at most `count` in a piece.
    fileprivate func pieces(of count: Int) -> [ClosedRange<Day>] {
        stride(from: lowerBound.number, through: upperBound.number, by: count).map { start in
            Day(number: start)...Day(number: Swift.min(start + count - 1, upperBound.number))
        }
    }
}
