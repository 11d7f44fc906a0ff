package import EventLog
import FinOps
package import Logging

/// Disables the keys of a scope whose limit is spent, where the limit's policy asks for it. A reactor: its checkpoint is its
/// producer's sequence in the log, so a crossing is answered once, whatever is killed.
///
/// It answers for the keys that there were when the limit was crossed. One that was issued since, or that an administrator
/// has approved again since, is left to the gateway, which holds the limit before each call.
package actor PolicyEnforcer {
    /// The producer's name in the log as well.
    package static let stage = "policy-enforcer"
    /// Who disabled a key, in the audit log.
    package static let actor = "policy"
    /// What it goes by.
    package static let types = KeyTable.types.subtracting(["key.disablement-enforced"]).union(["threshold.crossed"])

    private static let checkpointStride: UInt64 = 10_000
    private static let pageEvents = 5_000

    private let store: any EventStore
    private let reader: any EventReader
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let writer: ReactorWriter
    private var keys = KeyTable(gateway: PolicyEnforcer.stage)
    private var checkpoint: Position = .start
    private var handled: Position = .start

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    ///   - now: the pipeline's clock.
    ///   - pause: waits in real time.
    package init(
        store: any EventStore, reader: any EventReader, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.store = store
        self.reader = reader
        self.logger = logger
        self.now = now
        writer = ReactorWriter(stage: Self.stage, store: store, pause: pause, logger: logger)
    }

    /// Reacts until its task is cancelled.
    /// - Throws: `StoreError` when the log refuses for good: another enforcer has taken over, or access is denied.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        try await begin()
        for try await batch in subscriptions.subscribe(after: handled, types: Self.types) {
            try await handle(batch.events, through: batch.scannedThrough)
        }
    }

    /// Handles everything up to the head and returns with its checkpoint there.
    package func catchUp() async throws {
        try await begin()
        while true {
            let page = try await reader.read(after: handled, limit: Self.pageEvents, types: Self.types)
            if page.scannedThrough == handled { break }
            try await handle(page.events, through: page.scannedThrough)
        }
        if handled > checkpoint { try await move(to: handled) }
    }

    /// Learns the keys, projects and limits as of the checkpoint from their own streams.
    private func begin() async throws {
        checkpoint = try await writer.open()
        handled = checkpoint
        var history = try await reader.readAll(stream: .projects)
        for prefix in ["key-", "threshold-"] {
            for summary in try await reader.allStreams(prefix: prefix) {
                history += try await reader.readAll(stream: summary.stream)
            }
        }
        history.sort { $0.position < $1.position }
        for event in history where event.position <= checkpoint { _ = fold(event) }
    }

    private func handle(_ events: [RecordedEvent], through position: Position) async throws {
        for event in events {
            guard let decoded = fold(event), case .thresholdCrossed(let crossing) = decoded else { continue }
            try await answer(crossing, event)
        }
        handled = max(handled, position)
        if handled.value - checkpoint.value >= Self.checkpointStride { try await move(to: handled) }
    }

    private func move(to position: Position) async throws {
        try await writer.append([], checkpoint: position)
        checkpoint = position
    }

    /// - Returns: nil for what cannot be read: it disables nothing, and gateways hold limits by themselves.
    private func fold(_ event: RecordedEvent) -> FinOpsEvent? {
        do {
            guard let decoded = try EventCatalogue.decode(event.event) else { return nil }
            keys.take(decoded, event)
            // Acknowledging is for gateways.
            keys.forgetDecisions()
            return decoded
        } catch {
            logger.error(
                "event left out, because it cannot be read",
                metadata: ["position": "\(event.position)", "stream": "\(event.stream)", "error": "\(error)"])
            return nil
        }
    }

    // MARK: Answering

    private func answer(_ crossing: WireThresholdCrossed, _ cause: RecordedEvent) async throws {
        guard cause.position > checkpoint else { return }
        while true {
            let wanted = PolicyReaction.events(for: crossing, keys, at: now())
            guard !wanted.isEmpty, try await stands(crossing, after: cause.position) else { return }
            var appends: [StreamAppend] = []
            for (stream, event) in wanted {
                guard let version = try await versionIfUntouched(stream, after: cause.position) else { continue }
                let disabled = event.newEvent(
                    in: stream, occurred: now(), causation: cause.event.id, correlation: cause.event.correlation,
                    actor: Self.actor)
                appends.append(StreamAppend(stream, expected: .exactly(version), [disabled]))
            }
            guard !appends.isEmpty else { return }
            do {
                try await writer.append(appends, checkpoint: cause.position)
            } catch {
                // Somebody changed one of the keys meanwhile: what is to be done is looked at again.
                guard error.isConflict else { throw error }
                continue
            }
            checkpoint = cause.position
            for append in appends {
                logger.notice(
                    "key disabled", metadata: ["stream": "\(append.stream)", "crossing": "\(cause.position)"])
            }
            return
        }
    }

    /// Whether the limit still asks for it: nobody changed its policy since, and nothing took the crossing back.
    private func stands(_ crossing: WireThresholdCrossed, after position: Position) async throws -> Bool {
        guard let scope = CostScope(kind: crossing.scope, name: crossing.name),
            let kind = WindowKind(rawValue: crossing.window), let firstDay = Day(crossing.firstDay)
        else { return false }
        let statements = try await reader.readAll(stream: .threshold(scope))
        let current = ThresholdRegister.fold(try statements.compactMap { try EventCatalogue.decode($0.event) })[scope]
        guard current?.policy == ThresholdPolicy.disableKeys.rawValue else { return false }
        let findings = try await reader.readAll(stream: .alerts(kind, firstDay: firstDay))
        return try !findings.contains { event in
            guard event.position > position, event.type == "threshold.cleared",
                case .thresholdCleared(let cleared)? = try EventCatalogue.decode(event.event)
            else { return false }
            return (cleared.scope, cleared.name, cleared.level) == (crossing.scope, crossing.name, crossing.level)
        }
    }

    /// - Returns: nil if the key was disabled, or approved again, since.
    private func versionIfUntouched(_ stream: StreamName, after position: Position) async throws -> StreamVersion? {
        let events = try await reader.readAll(stream: stream)
        let touching: Set<EventType> = ["key.disabled", "key.reactivated"]
        let isTouched = try events.contains { event in
            guard event.position > position, touching.contains(event.type) else { return false }
            guard case .keyDisabled(let disabled)? = try EventCatalogue.decode(event.event) else { return true }
            return disabled.cause != KeyRegister.Cause.drill.rawValue
        }
        return isTouched ? nil : events.last?.version
    }
}

extension Error {
    /// Whether a stream had another version than was expected.
    fileprivate var isConflict: Bool {
        guard let error = self as? StoreError, case .refused(let refusal) = error else { return false }
        if case .conflict = refusal { return true }
        return false
    }
}
