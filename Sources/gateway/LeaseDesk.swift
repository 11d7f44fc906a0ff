import EventLog
import FinOps
import Logging
import Stages
import Synchronization

/// Asks the log for parts of limits, one request after the other, and lets the calls that wait for them try again.
final class LeaseDesk: Sendable {
    private static let pause = Duration.milliseconds(10)

    private let admission: Admission
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let waiting = Mutex<[@Sendable () -> Void]>([])
    private let (asked, ask) = AsyncStream.makeStream(of: [LeaseRequest].self, bufferingPolicy: .bufferingOldest(4_096))

    init(_ admission: Admission, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.admission = admission
        self.logger = logger
        self.now = now
    }

    /// - Parameter again: called once the log has answered, or after a second.
    func wait(for requests: [LeaseRequest], then again: @escaping @Sendable () -> Void) {
        waiting.withLock { $0.append(again) }
        submit(requests)
    }

    /// Once a second: extends what is in use, gives back what is not, and wakes who was asleep when its answer came.
    func tick() {
        for request in admission.maintain() { submit([request]) }
        wake()
    }

    private func submit(_ requests: [LeaseRequest]) {
        guard !requests.isEmpty else { return }
        if case .enqueued = ask.yield(requests) { return }
        for request in requests { admission.failed(request) }
    }

    private func wake() {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for again in all { again() }
    }

    /// Until its task is cancelled.
    func run(_ store: any EventStore) async {
        var session: ProducerSession?
        var sequence: UInt64 = 0
        var isRefusalTold = false
        for await requests in asked {
            // While the log was away many may have gathered.
            guard requests.allSatisfy(admission.isCurrent) else {
                for request in requests { admission.failed(request) }
                wake()
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
                    AppendRequest(session: current, sequence: sequence, appends(requests)))
                isRefusalTold = false
                for (index, request) in requests.enumerated() {
                    admission.granted(request, at: Position(receipt.first.value + UInt64(index)))
                }
            } catch {
                // Another gateway was faster, or the log is away: the subscription tells what became of it.
                if !error.isPassing, !isRefusalTold {
                    logger.warning("the log gives no part of a limit", metadata: ["error": "\(error)"])
                } else {
                    logger.debug("no part of a limit", metadata: ["error": "\(error)"])
                }
                isRefusalTold = !error.isPassing
                session = nil
                for request in requests { admission.failed(request) }
                // Asked again at once, the same would be refused: what the other has leased is on its way here.
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
            wake()
        }
    }

    private func appends(_ requests: [LeaseRequest]) -> [StreamAppend] {
        requests.map { request in
            let event = FinOpsEvent.budgetLeased(request.event).newEvent(in: request.stream, occurred: now())
            return StreamAppend(request.stream, expected: .exactly(request.expected), [event])
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
