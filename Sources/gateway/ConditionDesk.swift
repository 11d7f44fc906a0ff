import EventLog
import FinOps
import Logging
import Spool
import Synchronization

/// Tells the log when what calls use cannot be kept, and when it can again: alerts are made of that. Past the spool, which
/// takes nothing just then; while the log is away, too, it is told afterwards.
final class ConditionDesk: Sendable {
    static let kind = "usage-not-kept"

    private let gateway: String
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    /// Since when it lasts; nil while all is well.
    private let since = Mutex<Timestamp?>(nil)
    private let (said, say) = AsyncStream.makeStream(of: FinOpsEvent.self, bufferingPolicy: .bufferingOldest(256))

    init(gateway: String, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.gateway = gateway
        self.logger = logger
        self.now = now
    }

    /// Once a second.
    /// - Parameters:
    ///   - policy: what happens to calls meanwhile, as configured.
    ///   - lost: records for which there was no room even in memory.
    func look(_ failure: SpoolFailure?, policy: String, lost: Int) {
        let event = since.withLock { since -> FinOpsEvent? in
            switch (since, failure) {
            case (nil, let failure?):
                let now = now()
                since = now
                return raised(now, "\(failure); \(policy)")
            case (let began?, nil):
                since = nil
                return ended(began, lost == 0 ? "nothing was lost" : "\(lost) records were lost since the start")
            default: return nil
            }
        }
        if let event { say.yield(event) }
    }

    private func raised(_ since: Timestamp, _ detail: String) -> FinOpsEvent {
        var event = WireConditionRaised()
        (event.kind, event.subject, event.since, event.detail) = (Self.kind, gateway, since.seconds, detail)
        return .conditionRaised(event)
    }

    private func ended(_ since: Timestamp, _ detail: String) -> FinOpsEvent {
        var event = WireConditionEnded()
        (event.kind, event.subject, event.since, event.detail) = (Self.kind, gateway, since.seconds, detail)
        return .conditionEnded(event)
    }

    // MARK: To the log

    /// Until its task is cancelled.
    func run(_ store: any EventStore) async {
        do {
            try await patiently { () async throws(StoreError) in try await endWhatWasLeft(store) }
            for await event in said { try await tell(event, store) }
        } catch { return }  // It was cancelled.
    }

    /// What an earlier run has raised is over if this one can keep what calls use.
    private func endWhatWasLeft(_ store: any EventStore) async throws(StoreError) {
        var left: Int64?
        for recorded in try await store.readAll(stream: .conditions(Self.kind)) {
            do {
                switch try EventCatalogue.decode(recorded.event) {
                case .conditionRaised(let event)? where event.subject == gateway: left = event.since
                case .conditionEnded(let event)? where event.subject == gateway: left = nil
                default: break
                }
            } catch {
                logger.warning("a condition cannot be read", metadata: ["error": "\(error)"])
            }
        }
        let isWell = since.withLock { $0 == nil }
        if let left, isWell { say.yield(ended(Timestamp(seconds: left), "the gateway was started again")) }
    }

    private func tell(_ event: FinOpsEvent, _ store: any EventStore) async throws {
        let stream = StreamName.conditions(Self.kind)
        let new = event.newEvent(in: stream, occurred: now())
        let producer = ProducerName("gateway-\(gateway)-conditions")
        // An answer that was lost is asked for in the same words: the log knows a repeat.
        var sequence: UInt64?
        try await patiently { () async throws(StoreError) in
            let session = try await store.openSession(producer)
            let number = sequence ?? session.lastSequence + 1
            sequence = number
            guard session.lastSequence < number else { return }
            _ = try await store.append(
                AppendRequest(session: session, sequence: number, [StreamAppend(stream, [new])]))
        }
    }

    /// - Throws: `CancellationError` only: a log that is away or full is waited for.
    private func patiently(_ work: () async throws(StoreError) -> Void) async throws {
        while true {
            do throws(StoreError) { return try await work() } catch {
                logger.debug("the log cannot be told yet", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
