import EventLog
import Synchronization

/// One request on its way: whoever finishes it first decides, and its caller is resumed exactly once.
final class PendingCall: Sendable {
    typealias Outcome = Result<[UInt8], StoreError>

    private enum State {
        case fresh
        case waiting(CheckedContinuation<Outcome, Never>)
        case finished(Outcome)
    }

    private let state = Mutex(State.fresh)

    /// Waits for the reply's frame. Cancellation ends the wait at once; what the log does with the request is its matter.
    func wait() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Outcome? = state.withLock { state in
                    if case .finished(let outcome) = state { return outcome }
                    state = .waiting(continuation)
                    return nil
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            finish(.failure(.failed(.cancelled)))
        }
    }

    func finish(_ outcome: Outcome) {
        let continuation: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            defer { if case .finished = state {} else { state = .finished(outcome) } }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(returning: outcome)
    }

    var isFinished: Bool {
        state.withLock { if case .finished = $0 { true } else { false } }
    }
}

extension StoreFailure {
    static let cancelled = StoreFailure(code: "cancelled", message: "the caller was cancelled", isRetriable: true)
    static let closed = StoreFailure(code: "closed", message: "the connection to the log is closed", isRetriable: false)

    static func unreachable(_ endpoint: String, seconds: Int64) -> StoreFailure {
        StoreFailure(
            code: logUnreachable, message: "no answer from the log at \(endpoint) within \(seconds) s",
            isRetriable: true)
    }
}
