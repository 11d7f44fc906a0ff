import EventLog
import FinOps

/// The events that tell of a run, one row of `cron_logs`.
extension CollectionReport {
    /// - Parameter firstDay: the first UTC day it covers.
    static func stream(of account: CollectedAccount, firstDay: Day) -> StreamName {
        .run(account: account.name, firstDay: firstDay)
    }

    var started: FinOpsEvent { .runStarted(identified(WireRunStarted())) }

    var ended: FinOpsEvent { failure.map(failed) ?? finished }

    private func failed(_ failure: SourceFailure) -> FinOpsEvent {
        var event = counted(WireRunFailed())
        event.code = failure.code
        event.message = failure.message
        event.retriable = failure.isRetriable
        event.keyMask = account.keyMask
        return .runFailed(event)
    }

    private var finished: FinOpsEvent {
        var event = counted(WireRunFinished())
        event.rows = Int64(rows)
        event.notes = notes
        return .runFinished(event)
    }

    private func identified<Event: RunIdentity>(_ event: Event) -> Event {
        var event = event
        event.run = run.description
        event.provider = account.provider
        event.account = account.name
        event.kind = kind.rawValue
        event.fromDay = days.lowerBound.description
        event.toDay = days.upperBound.description
        return event
    }

    private func counted<Event: RunCounts>(_ event: Event) -> Event {
        var event = identified(event)
        event.recorded = Int64(recorded)
        event.restated = Int64(restated)
        event.requests = Int64(effort.requests)
        event.retries = Int64(effort.retries)
        return event
    }
}

/// What every event of a run says of it.
private protocol RunIdentity {
    var run: String { get set }
    var provider: String { get set }
    var account: String { get set }
    var kind: String { get set }
    var fromDay: String { get set }
    var toDay: String { get set }
}

/// What every end of a run says it came to.
private protocol RunCounts: RunIdentity {
    var recorded: Int64 { get set }
    var restated: Int64 { get set }
    var requests: Int64 { get set }
    var retries: Int64 { get set }
}

extension WireRunStarted: RunIdentity {}
extension WireRunFailed: RunCounts {}
extension WireRunFinished: RunCounts {}
