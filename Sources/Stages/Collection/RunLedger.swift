package import EventLog
package import FinOps
import Logging

/// Remembers, outside the log, which runs are under way, so that one whose process was killed is known for what it is and
/// its record can be closed.
package protocol RunLedger: Sendable {
    /// Enters a run that is about to begin. It is under way until its entry is removed or its process is gone.
    /// - Throws: if it cannot be written down.
    func enter(_ run: RunEntry) throws -> any EnteredRun
    /// Runs whose processes are gone; nobody else gets them meanwhile.
    func abandoned() throws -> [any EnteredRun]
}

/// One entry, held by this process as long as the value lives.
package protocol EnteredRun: Sendable {
    var entry: RunEntry { get }
    /// The run's end is in the log.
    func remove() throws
}

/// What the record of a run says from its beginning.
package struct RunEntry: Hashable, Sendable {
    package let account: CollectedAccount
    package let kind: CollectionKind
    /// Business days, both included.
    package let days: ClosedRange<Day>
    package let run: EventID
    /// The stream that holds its record.
    package let stream: StreamName

    package init(
        account: CollectedAccount, kind: CollectionKind, days: ClosedRange<Day>, run: EventID, stream: StreamName
    ) {
        self.account = account
        self.kind = kind
        self.days = days
        self.run = run
        self.stream = stream
    }
}

/// Closes the records of runs that were killed.
struct AbandonedRuns: Sendable {
    static let failure = SourceFailure(
        .abandoned, "the run's process ended before the run did; what it had committed stays", isRetriable: true)

    let ledger: any RunLedger
    let log: any EventStore
    let environment: CollectionEnvironment

    /// - Throws: `StoreError`; `UndecodableEvent`; what the ledger throws.
    func close(through producer: FreshProducer) async throws {
        for run in try ledger.abandoned() {
            let recorded = try await log.readAll(stream: run.entry.stream)
            if try Self.isOpen(run.entry.run, in: recorded) {
                var report = CollectionReport(run.entry)
                report.failure = Self.failure
                let event = report.ended.newEvent(
                    id: environment.newID(), occurred: environment.now(), correlation: run.entry.run)
                try await producer.append([StreamAppend(run.entry.stream, [event])])
                environment.logger.warning("closed a run that was killed", metadata: ["run": "\(run.entry.run)"])
            }
            try run.remove()
        }
    }

    /// Whether a run has begun and not ended: it may have been killed before its first word, or after its last.
    private static func isOpen(_ run: EventID, in recorded: [RecordedEvent]) throws -> Bool {
        var isOpen = false
        for event in recorded where event.event.correlation == run {
            switch try EventCatalogue.decode(event.event) {
            case .runStarted: isOpen = true
            case .runFinished, .runFailed: isOpen = false
            default: break
            }
        }
        return isOpen
    }
}

extension CollectionReport {
    init(_ entry: RunEntry) { self.init(account: entry.account, kind: entry.kind, days: entry.days, run: entry.run) }
}
