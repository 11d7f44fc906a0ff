import EventLog
import FinOps

/// The events that tell of a run, one row of `cron_logs`.
extension CollectionReport {
    /// - Parameter firstDay: the first UTC day it covers.
    static func stream(of account: CollectedAccount, firstDay: Day) -> StreamName {
        .run(account: account.name, firstDay: firstDay)
    }

    var started: FinOpsEvent {
        var event = WireRunStarted()
        event.run = run.description
        event.provider = account.provider
        event.account = account.name
        event.kind = kind.rawValue
        event.fromDay = days.lowerBound.description
        event.toDay = days.upperBound.description
        return .runStarted(event)
    }

    var ended: FinOpsEvent { failure.map(failed) ?? finished }

    private func failed(_ failure: SourceFailure) -> FinOpsEvent {
        var event = WireRunFailed()
        event.run = run.description
        event.provider = account.provider
        event.account = account.name
        event.kind = kind.rawValue
        event.fromDay = days.lowerBound.description
        event.toDay = days.upperBound.description
        event.code = failure.code
        event.message = failure.message
        event.retriable = failure.isRetriable
        event.keyMask = account.keyMask
        event.recorded = Int64(recorded)
        event.restated = Int64(restated)
        event.requests = Int64(effort.requests)
        event.retries = Int64(effort.retries)
        return .runFailed(event)
    }

    private var finished: FinOpsEvent {
        var event = WireRunFinished()
        event.run = run.description
        event.provider = account.provider
        event.account = account.name
        event.kind = kind.rawValue
        event.fromDay = days.lowerBound.description
        event.toDay = days.upperBound.description
        event.rows = Int64(rows)
        event.recorded = Int64(recorded)
        event.restated = Int64(restated)
        event.requests = Int64(effort.requests)
        event.retries = Int64(effort.retries)
        event.notes = notes
        return .runFinished(event)
    }
}
