import EventLog
import FinOps
import Logging
import Stages

/// Asks the log for what calls wait for, parts of limits and of keys' paces, one request after the other, and lets them try
/// again.
final class LogDesk: Sendable {
    private static let pause = Duration.milliseconds(10)

    private let admission: Admission
    private let requests: LogRequests
    private let logger: Logger
    private let now: @Sendable () -> Timestamp

    init(_ admission: Admission, _ requests: LogRequests, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.admission = admission
        self.requests = requests
        self.logger = logger
        self.now = now
    }

    /// - Parameter again: called once the log has answered, or after a second.
    func wait(for requests: [LogRequest], then again: @escaping @Sendable () -> Void) {
        self.requests.wait(again)
        submit(requests)
    }

    /// Once a second: extends what is in use, gives back what is not, and wakes who was asleep when its answer came.
    func tick() {
        for request in admission.maintain() { submit([.lease(request)]) }
        requests.wake()
    }

    private func submit(_ requests: [LogRequest]) {
        guard !requests.isEmpty, !self.requests.submit(requests) else { return }
        for request in requests { admission.failed(request) }
    }

    /// Until its task is cancelled.
    func run(_ store: any EventStore) async {
        var session: ProducerSession?
        var sequence: UInt64 = 0
        var isRefusalTold = false
        for await requests in self.requests.asked {
            // While the log was away many may have gathered.
            guard requests.allSatisfy(admission.isCurrent) else {
                for request in requests { admission.failed(request) }
                self.requests.wake()
                continue
            }
            do {
                let current: ProducerSession
                if let session {
                    current = session
                } else {
                    current = try await store.openSession(ProducerName("gateway-\(admission.gateway)-leases"))
                    (session, sequence) = (current, current.lastSequence)
                }
                sequence += 1
                let receipt = try await store.append(
                    AppendRequest(
                        session: current, sequence: sequence, requests.map { $0.append(occurred: now()) }))
                isRefusalTold = false
                for (index, request) in requests.enumerated() {
                    admission.granted(request, at: Position(receipt.first.value + UInt64(index)))
                }
            } catch {
                // Another gateway was faster, or the log is away: the subscription tells what became of it.
                if !error.isPassing, !isRefusalTold {
                    logger.warning("the log refuses what calls wait for", metadata: ["error": "\(error)"])
                } else {
                    logger.debug("the log has not taken what calls wait for", metadata: ["error": "\(error)"])
                }
                isRefusalTold = !error.isPassing
                session = nil
                for request in requests { admission.failed(request) }
                // Asked again at once, the same would be refused: what the other has leased is on its way here.
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
            self.requests.wake()
        }
    }
}

extension StoreError {
    /// Somebody was faster, or the log is busy or away.
    fileprivate var isPassing: Bool {
        switch self {
        case .refused(let refusal): isConflict || refusal.isRetriable
        case .failed(let failure): failure.isRetriable
        }
    }
}
