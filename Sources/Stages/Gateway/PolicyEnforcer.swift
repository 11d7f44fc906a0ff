package import EventLog
import FinOps
package import Logging

/// Disables the keys of a scope whose limit is spent, where the limit's policy asks for it. A reactor: its checkpoint is
/// its producer's sequence in the log, so a crossing is answered once, whatever is killed.
///
/// It answers for the keys that there were when the limit was crossed. One that was issued since, or that an
/// administrator has approved again since, is left to the gateway, which holds the limit before each call.
///
/// What it cannot read it puts aside, in the stream `failures-policy-enforcer`, and goes on; `finops dead-letters retry`
/// lets it try again. A crossing is put aside too where it cannot be told what has become of its limit or of one of its keys.
package actor PolicyEnforcer {
    /// The producer's name in the log as well.
    package static let stage = "policy-enforcer"
    /// Who disabled a key, in the audit log.
    package static let actor = "policy"
    /// What it goes by.
    package static let types = KeyTable.types.subtracting([
        "key.disablement-enforced", "upstream.set", "upstream.removed",
    ]).union([
        "threshold.crossed", "processing.retried", "processing.skipped",
    ])

    private let reader: any EventReader
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let writer: ReactorWriter
    private let onProgress: @Sendable (ReactorProgress) -> Void
    private var keys = KeyTable(gateway: PolicyEnforcer.stage)
    private var parking = ParkingLot(stage: PolicyEnforcer.stage)
    private var checkpoint: Position = .start
    private var handled: Position = .start
    private var head: Position = .start

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    ///   - now: the pipeline's clock.
    ///   - pause: waits in real time.
    ///   - onProgress: told when it has begun, whenever it has come further, and when events are put aside.
    package init(
        store: any EventStore, reader: any EventReader, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onProgress: @escaping @Sendable (ReactorProgress) -> Void = { _ in }
    ) {
        self.reader = reader
        self.onProgress = onProgress
        self.logger = logger
        self.now = now
        writer = ReactorWriter(stage: Self.stage, store: store, pause: pause, logger: logger)
    }

    /// Reacts until its task is cancelled.
    /// - Throws: `StoreError` when the log refuses for good: another enforcer has taken over, or access is denied.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        try await begin()
        for try await batch in subscriptions.subscribe(after: handled, types: Self.types) {
            head = batch.head
            try await handle(batch.events, through: batch.scannedThrough)
        }
    }

    /// Handles everything up to the head and returns with its checkpoint there.
    package func catchUp() async throws {
        try await begin()
        while true {
            let page = try await reader.read(after: handled, limit: ReactorBounds.pageEvents, types: Self.types)
            if page.scannedThrough == handled { break }
            try await handle(page.events, through: page.scannedThrough)
        }
        if handled > checkpoint { try await move(to: handled) }
    }

    private func begin() async throws {
        checkpoint = try await writer.open()
        handled = checkpoint
        parking = ParkingLot(stage: Self.stage)
        for event in try await reader.readAll(stream: .failures(stage: Self.stage)) {
            // An administrator's answer beyond the checkpoint is still to be acted on, not yet history.
            guard event.position <= checkpoint || event.producer.text.hasPrefix(Self.stage) else { continue }
            if let decoded = try EventCatalogue.decode(event.event) { parking.evolve(decoded) }
        }
        try await park(try await recall(through: checkpoint))
        tellProgress()
    }

    /// Learns the keys, projects and limits as of a position from their own streams, without what was put aside.
    /// - Returns: what cannot be read besides.
    private func recall(through position: Position) async throws -> [WireProcessingFailed] {
        keys = KeyTable(gateway: Self.stage)
        let history = try await reader.readAll(prefixes: [StreamName.projects.text, "key-", "threshold-"])
        var failures: [WireProcessingFailed] = []
        for event in history where event.position <= position && !parking.excludes(event.position) {
            do { _ = try fold(event) } catch { failures.append(Self.failure(of: event, error)) }
        }
        return failures
    }

    private func handle(_ events: [RecordedEvent], through position: Position) async throws {
        for event in events where event.position > checkpoint {
            if event.stream == .failures(stage: Self.stage) {
                try await heed(event)
            } else {
                try await take(event, through: event.position)
            }
        }
        handled = max(handled, position)
        if handled.value - checkpoint.value >= ReactorBounds.checkpointStride { try await move(to: handled) }
        tellProgress()
    }

    private func tellProgress() {
        onProgress(ReactorProgress(checkpoint: handled, head: max(head, handled), parked: parking.count))
    }

    private func move(to position: Position) async throws {
        try await writer.append([], checkpoint: position)
        checkpoint = position
    }

    /// - Parameter position: where the checkpoint goes with what follows from the event.
    private func take(_ event: RecordedEvent, through position: Position) async throws {
        do {
            guard case .thresholdCrossed(let crossing)? = try fold(event) else { return }
            try await answer(crossing, event, through: position)
        } catch {
            guard error is UndecodableEvent else { throw error }
            try await park([Self.failure(of: event, error)], through: position)
        }
    }

    /// - Returns: nil for what is of no use here, of an unknown schema.
    /// - Throws: `UndecodableEvent`.
    private func fold(_ event: RecordedEvent) throws -> FinOpsEvent? {
        guard let decoded = try EventCatalogue.decode(event.event) else {
            logger.warning(
                "event of an unknown schema left alone",
                metadata: ["position": "\(event.position)", "type": "\(event.type)"])
            return nil
        }
        keys.take(decoded, event)
        // Acknowledging is for gateways.
        keys.forgetDecisions()
        return decoded
    }

    // MARK: What cannot be read

    private static func failure(of event: RecordedEvent, _ error: any Error) -> WireProcessingFailed {
        // Pure and given the same input it would fail the same way: one attempt stands for three.
        WireProcessingFailed(event, stage: stage, attempts: 3, error: "\(error)")
    }

    /// - Parameter position: nil where no position of the log asks for it.
    private func park(_ failures: [WireProcessingFailed], through position: Position? = nil) async throws {
        for chunk in AppendPacking.chunks([append(failures)]) where !chunk.isEmpty {
            if let position {
                try await writer.append(chunk, checkpoint: position)
                checkpoint = max(checkpoint, position)
            } else {
                try await writer.append(chunk)
            }
        }
        noteParked(failures)
    }

    private func append(_ failures: [WireProcessingFailed]) -> StreamAppend {
        let stream = StreamName.failures(stage: Self.stage)
        return StreamAppend(
            stream, failures.map { FinOpsEvent.processingFailed($0).newEvent(in: stream, occurred: now()) })
    }

    private func noteParked(_ failures: [WireProcessingFailed]) {
        guard !failures.isEmpty else { return }
        for failure in failures {
            parking.evolve(.processingFailed(failure))
            logger.error(
                "event parked",
                metadata: [
                    "position": "\(failure.position)", "stream": "\(failure.stream)", "error": "\(failure.error)",
                ])
        }
        tellProgress()
    }

    /// An administrator lets an event be tried again, or skipped. A key or a limit takes its old place among the others;
    /// no crossing that was answered without it is answered again, since gateways hold limits by themselves.
    private func heed(_ answer: RecordedEvent) async throws {
        guard let decoded = try? EventCatalogue.decode(answer.event) else { return }  // Not about anything parked here.
        parking.evolve(decoded)
        tellProgress()
        guard case .processingRetried(let retry) = decoded, retry.stage == Self.stage, retry.position > 0
        else { return }
        let page = try await reader.read(after: Position(retry.position - 1), limit: 1, types: Self.types)
        let unread = try await recall(through: answer.position)
        if let retried = page.events.first, retried.position.value == retry.position,
            retried.type == "threshold.crossed"
        {
            try await take(retried, through: answer.position)
        }
        try await park(unread)
    }

    // MARK: Answering

    private func answer(
        _ crossing: WireThresholdCrossed, _ cause: RecordedEvent, through position: Position
    ) async throws {
        while true {
            let wanted = PolicyReaction.events(for: crossing, keys, at: now())
            guard !wanted.isEmpty, try await stands(crossing, after: cause.position) else { return }
            var appends: [StreamAppend] = []
            var failures: [WireProcessingFailed] = []
            for (stream, event) in wanted {
                let version: StreamVersion?
                do { version = try await versionIfUntouched(stream, after: cause.position) } catch {
                    guard error is UndecodableEvent else { throw error }
                    // The other keys need not wait for this one.
                    failures = [Self.failure(of: cause, error)]
                    continue
                }
                guard let version else { continue }
                let disabled = event.newEvent(
                    in: stream, occurred: now(), causation: cause.event.id, correlation: cause.event.correlation,
                    actor: Self.actor)
                appends.append(StreamAppend(stream, expected: .exactly(version), [disabled]))
            }
            let disablements = appends
            if !failures.isEmpty { appends.append(append(failures)) }
            guard !appends.isEmpty else { return }
            do {
                try await writer.append(appends, checkpoint: position)
            } catch let error as StoreError where error.isConflict {
                continue  // Somebody changed one of the keys meanwhile: what is to be done is looked at again.
            }
            checkpoint = position
            noteParked(failures)
            for append in disablements {
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
        let current = try await reader.fold(.threshold(scope), with: ThresholdRegister.self).state[scope]
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
