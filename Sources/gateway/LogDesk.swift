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

    /// As one producer.
    private struct Speaking {
        var session: ProducerSession?
        var sequence: UInt64 = 0
        var isRefusalTold = false
    }

    /// Until its task is cancelled.
    func run(_ store: any EventStore) async {
        var speaking = Speaking()
        for await _ in requests.asked {
            while !Task.isCancelled, let next = requests.next() { await ask(next, store, &speaking) }
        }
    }

    private func ask(_ requests: [LogRequest], _ store: any EventStore, _ speaking: inout Speaking) async {
        // While the log was away many may have gathered. Parts of limits are asked for together or not at all.
        let current = requests.filter(admission.isCurrent)
        let wanted = requests.allSatisfy(\.isAboutPace) || current.count == requests.count ? current : []
        guard !wanted.isEmpty else {
            for request in requests { admission.failed(request) }
            return self.requests.wake()
        }
        do {
            let receipt = try await append(wanted, store, &speaking)
            speaking.isRefusalTold = false
            for (index, request) in wanted.enumerated() {
                admission.granted(request, at: Position(receipt.first.value + UInt64(index)))
            }
        } catch {
            // Another gateway was faster, or the log is away: the subscription tells what became of it.
            if !error.isPassing, !speaking.isRefusalTold {
                logger.warning("the log refuses what calls wait for", metadata: ["error": "\(error)"])
            } else {
                logger.debug("the log has not taken what calls wait for", metadata: ["error": "\(error)"])
            }
            speaking.isRefusalTold = !error.isPassing
            speaking.session = nil
            for request in wanted { admission.failed(request) }
            // Asked again at once, the same would be refused: what the other has leased is on its way here.
            do { try await Task.sleep(for: Self.pause) } catch { return }
        }
        self.requests.wake()
    }

    private func append(
        _ requests: [LogRequest], _ store: any EventStore, _ speaking: inout Speaking
    ) async throws(StoreError) -> AppendReceipt {
        let session: ProducerSession
        if let open = speaking.session {
            session = open
        } else {
            session = try await store.openSession(ProducerName("gateway-\(admission.gateway)-leases"))
            (speaking.session, speaking.sequence) = (session, session.lastSequence)
        }
        speaking.sequence += 1
        return try await store.append(
            AppendRequest(
                session: session, sequence: speaking.sequence, requests.map { $0.append(occurred: now()) }))
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
