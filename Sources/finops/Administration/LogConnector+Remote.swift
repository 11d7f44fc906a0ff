import EventLog
import Runtime

extension LogConnector {
    static let remote = LogConnector { _ in throw CommandFailure(.tryAgain, "stub") }
}
