import EventLog
import FinOps

/// The events that tell of a run, one row of `cron_logs`.
extension CollectionReport {
    /// - Parameter firstDay: the first UTC day it covers.
    static func stream(of account: CollectedAccount, firstDay: Day) -> StreamName {
        .run(account: account.name, firstDay: firstDay)
    }

    var started: FinOpsEvent {
        .runStarted(
            .with {
                $0.run = run.description
                $0.provider = account.provider
                $0.account = account.name
                $0.kind = kind.rawValue
                $0.fromDay = days.lowerBound.description
                $0.toDay = days.upperBound.description
            })
    }

    var ended: FinOpsEvent {
        guard let failure else { return finished }
        return .runFailed(
            .with {
                $0.run = run.description
                $0.provider = account.provider
                $0.account = account.name
                $0.kind = kind.rawValue
                $0.fromDay = days.lowerBound.description
                $0.toDay = days.upperBound.description
                $0.code = failure.code
                $0.message = failure.message
                $0.retriable = failure.isRetriable
                $0.keyMask = account.keyMask
                $0.recorded = Int64(recorded)
                $0.restated = Int64(restated)
                $0.requests = Int64(effort.requests)
                $0.retries = Int64(effort.retries)
            })
    }

    private var finished: FinOpsEvent {
        .runFinished(
            .with {
                $0.run = run.description
                $0.provider = account.provider
                $0.account = account.name
                $0.kind = kind.rawValue
                $0.fromDay = days.lowerBound.description
                $0.toDay = days.upperBound.description
                $0.rows = Int64(rows)
                $0.recorded = Int64(recorded)
                $0.restated = Int64(restated)
                $0.requests = Int64(effort.requests)
                $0.retries = Int64(effort.retries)
                $0.notes = notes
            })
    }
}
