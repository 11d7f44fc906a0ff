import EventLog
import FinOps

extension ThresholdEvaluation.Finding {
    /// The same for the same finding, so that one that is in the log is recognised.
    var id: EventID { event.newEvent(in: stream, occurred: cause.recorded).id }
}

extension FinOpsEvent {
    /// Where a crossing or a clearing goes; nil for any other event.
    var alertStream: StreamName? {
        switch self {
        case .thresholdCrossed(let event): Self.alertStream(event.window, event.firstDay)
        case .thresholdCleared(let event): Self.alertStream(event.window, event.firstDay)
        default: nil
        }
    }

    private static func alertStream(_ window: String, _ firstDay: String) -> StreamName? {
        guard let kind = WindowKind(rawValue: window), let day = Day(firstDay) else { return nil }
        return .alerts(kind, firstDay: day)
    }

    /// The event that a finding answers.
    var causePosition: Position? {
        switch self {
        case .thresholdCrossed(let event): Position(event.position)
        case .thresholdCleared(let event): Position(event.position)
        default: nil
        }
    }
}
