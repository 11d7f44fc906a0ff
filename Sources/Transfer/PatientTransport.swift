/// What waiting needs from outside, so that tests need not wait and a scaled clock can shorten back-off.
package struct Waiting: Sendable {
    /// Waits for a pause between attempts, in seconds. Programs scale it with their clock.
    package var pause: @Sendable (Double) async throws -> Void
    /// Waits for the request rate, in real seconds, never scaled: the limit is the provider's.
    package var pace: @Sendable (Double) async throws -> Void
    /// A monotonic clock in real seconds.
    package var monotonic: @Sendable () -> Double
    /// Unix seconds.
    package var now: @Sendable () -> Int64
    /// Evenly in 0 ..< 1.
    package var random: @Sendable () -> Double

    package init(
        pause: @escaping @Sendable (Double) async throws -> Void,
        pace: @escaping @Sendable (Double) async throws -> Void, monotonic: @escaping @Sendable () -> Double,
        now: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> Double
    ) {
        self.pause = pause
        self.pace = pace
        self.monotonic = monotonic
        self.now = now
        self.random = random
    }
}

/// What a service makes of an answer. It alone knows which failures pass by themselves.
package enum Verdict<Value: Sendable, Failure: Error & Sendable>: Sendable {
    /// What was asked for.
    case accept(Value)
    /// It may pass by itself: asked again as long as the policy allows.
    case retry(Failure)
    /// Asking again would change nothing.
    case refuse(Failure)
}

/// How a patient request ended without an acceptable answer.
package enum PatienceExhausted<Failure: Error & Sendable>: Error, Sendable {
    /// The service's own judgement, after the retries where those made sense.
    case judged(Failure)
    /// No answer came, also not to the retries.
    case transfer(TransferFailure)
    /// The server wants a longer pause than a run waits.
    case throttled(retryAfterSeconds: Double)
}

/// How much a transport was asked to do, for the record of a run.
package struct TransferEffort: Hashable, Sendable {
    /// Sent, repeated ones included.
    package var requests = 0
    /// How many of these repeated one that failed.
    package var retries = 0

    package init() {}
}

/// A transport with manners: at most one request in flight and `perSecond` a second, and retries by policy.
/// One per organisation.
package actor PatientTransport {
    private let transport: any HTTPTransport
    private let policy: RetryPolicy
    private let waiting: Waiting
    private let secondsBetween: Double
    private var nextStart: Double = 0
    private var busy = false
    private var queue: [CheckedContinuation<Void, Never>] = []
    /// Since it was made.
    package private(set) var effort = TransferEffort()

    /// - Parameter perSecond: requests a second at most; below 1 for slower services.
    package init(
        _ transport: any HTTPTransport, policy: RetryPolicy = RetryPolicy(), perSecond: Double = 60, waiting: Waiting
    ) {
        self.transport = transport
        self.policy = policy
        self.waiting = waiting
        secondsBetween = 1 / perSecond
    }

    /// Sends until an answer is accepted or refused, or patience ends.
    /// - Parameter judge: reads an answer, or says what is wrong with it.
    package func send<Value: Sendable, Failure: Error & Sendable>(
        _ request: HTTPRequest, judge: @Sendable (HTTPResponse) -> Verdict<Value, Failure>
    ) async throws(PatienceExhausted<Failure>) -> Value {
        await enter()
        defer { leave() }
        var failures = 0
        while true {
            let (failure, retryAfter): (PatienceExhausted<Failure>, Double?)
            switch await attempt(request) {
            case .success(let response):
                switch judge(response) {
                case .accept(let value): return value
                case .refuse(let reason): throw .judged(reason)
                case .retry(let reason):
                    (failure, retryAfter) = (.judged(reason), RetryAfter.seconds(in: response, now: waiting.now()))
                }
            case .failure(let reason):
                guard reason.isRetriable, request.isRepeatable || !reason.requestWasSent else {
                    throw .transfer(reason)
                }
                (failure, retryAfter) = (.transfer(reason), nil)
            }
            failures += 1
            switch policy.decision(failures: failures, retryAfter: retryAfter, random: waiting.random()) {
            case .giveUp: throw failure
            case .comeBackLater(let seconds): throw .throttled(retryAfterSeconds: seconds)
            case .retry(let seconds):
                do { try await waiting.pause(seconds) } catch { throw .transfer(.cancelled) }
                effort.retries += 1
            }
        }
    }

    private func attempt(_ request: HTTPRequest) async -> Result<HTTPResponse, TransferFailure> {
        let start = max(nextStart, waiting.monotonic())
        nextStart = start + secondsBetween
        let ahead = start - waiting.monotonic()
        if ahead > 0 {
            do { try await waiting.pace(ahead) } catch { return .failure(.cancelled) }
        }
        effort.requests += 1
        do { return .success(try await transport.send(request)) } catch { return .failure(error) }
    }

    /// An actor lets others in while it waits; one request in flight needs a queue of its own.
    private func enter() async {
        if !busy {
            busy = true
            return
        }
        await withCheckedContinuation { queue.append($0) }
    }

    private func leave() {
        if queue.isEmpty { busy = false } else { queue.removeFirst().resume() }
    }
}

extension TransferFailure {
    static let cancelled = TransferFailure(.cancelled, message: "the request was cancelled")
}
