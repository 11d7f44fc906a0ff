import EventLog
import FinOps
import Logging
import Spool
import Synchronization

/// Tells the log when what calls use cannot be kept, and when it can again, and of records that a spool has lost: alerts are
/// made of that. Past the spool, which takes nothing just then; while the log is away, too, it is told afterwards.
final class ConditionDesk: Sendable {
    static let notKept = "usage-not-kept"
    static let lost = "usage-lost"

    /// What is to be told.
    private struct Saying: Sendable {
        let kind: String
        let event: FinOpsEvent
    }

    private let gateway: String
    /// What was found when the spool was opened.
    private let recovery: SpoolRecovery
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    /// Since when it lasts; nil while all is well.
    private let since = Mutex<Timestamp?>(nil)
    private let (said, say) = AsyncStream.makeStream(of: Saying.self, bufferingPolicy: .bufferingOldest(256))

    init(gateway: String, recovery: SpoolRecovery, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.gateway = gateway
        self.recovery = recovery
        self.logger = logger
        self.now = now
    }

    /// Once a second.
    /// - Parameters:
    ///   - policy: what happens to calls meanwhile, as configured.
    ///   - lost: records for which there was no room even in memory.
    func look(_ failure: SpoolFailure?, policy: String, lost: Int) {
        let saying = since.withLock { since -> Saying? in
            switch (since, failure) {
            case (nil, let failure?):
                let now = now()
                since = now
                return raised(Self.notKept, now, "\(failure); \(policy)")
            case (let began?, nil):
                since = nil
                return ended(
                    Self.notKept, began, lost == 0 ? "nothing was lost" : "\(lost) records were lost since the start")
            default: return nil
            }
        }
        if let saying { say.yield(saying) }
    }

    private func raised(_ kind: String, _ since: Timestamp, _ detail: String) -> Saying {
        var event = WireConditionRaised()
        (event.kind, event.subject, event.since, event.detail) = (kind, gateway, since.seconds, detail)
        return Saying(kind: kind, event: .conditionRaised(event))
    }

    private func ended(_ kind: String, _ since: Timestamp, _ detail: String) -> Saying {
        var event = WireConditionEnded()
        (event.kind, event.subject, event.since, event.detail) = (kind, gateway, since.seconds, detail)
        return Saying(kind: kind, event: .conditionEnded(event))
    }

    // MARK: To the log

    /// Until its task is cancelled.
    func run(_ store: any EventStore) async {
        do {
            try await patiently { () async throws(StoreError) in try await settleWhatWasLeft(store) }
            for await saying in said { try await tell(saying, store) }
        } catch { return }  // It was cancelled.
    }

    /// What an earlier run has raised is over if this one can keep what calls use, and if its spool has no hole. A hole is
    /// told once, however often the spool is opened with it.
    private func settleWhatWasLeft(_ store: any EventStore) async throws(StoreError) {
        let notKept = try await left(Self.notKept, store)
        let lost = try await left(Self.lost, store)
        let isWell = since.withLock { $0 == nil }
        if let notKept, isWell {
            let detail = "the gateway was started again: whatever still waited in its memory then is lost"
            say.yield(ended(Self.notKept, notKept, detail))
        }
        switch (lost, recovery.loss) {
        case (nil, let loss?): say.yield(raised(Self.lost, now(), loss))
        case (let began?, nil):
            say.yield(ended(Self.lost, began, "the spool has no hole any more; what was lost stays so"))
        default: break
        }
    }

    /// - Returns: since when this gateway's condition stands; nil if it does not.
    private func left(_ kind: String, _ store: any EventStore) async throws(StoreError) -> Timestamp? {
        var left: Int64?
        for recorded in try await store.readAll(stream: .conditions(kind)) {
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
        return left.map { Timestamp(seconds: $0) }
    }

    private func tell(_ saying: Saying, _ store: any EventStore) async throws {
        let stream = StreamName.conditions(saying.kind)
        let new = saying.event.newEvent(in: stream, occurred: now())
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
