package import EventLog
package import FinOps
package import Logging

/// Finds out which thresholds costs have crossed, and which crossings were taken back. A reactor: its checkpoint is its
/// producer's sequence in the log, so after any crash it goes on where the log says it was.
package actor ThresholdWatcher {
    /// The producer's name in the log as well, under which it keeps its checkpoint.
    package static let stage = "threshold-watcher"
    /// What it reacts to.
    package static let types = ThresholdEvaluation.types

    /// How often a checkpoint is written where events come in that lead to nothing.
    private static let idle: Duration = .seconds(1)

    private let reader: any EventReader
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void
    private let onProgress: @Sendable (ReactorProgress) -> Void
    private let writer: ReactorWriter
    private let evaluation: ThresholdEvaluation

    private var turns = Turns()
    private var checkpoint: Position = .start
    private var handled: Position = .start
    private var head: Position = .start

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    ///   - currency: thresholds and costs in any other are not watched.
    ///   - now: the pipeline's clock.
    ///   - pause: waits; real time, also where the pipeline's clock is scaled.
    ///   - onProgress: told when it has begun, and whenever it has come further.
    package init(
        store: any EventStore, reader: any EventReader, currency: Currency, logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onProgress: @escaping @Sendable (ReactorProgress) -> Void = { _ in }
    ) {
        self.reader = reader
        self.logger = logger
        self.now = now
        self.pause = pause
        self.onProgress = onProgress
        writer = ReactorWriter(stage: Self.stage, store: store, pause: pause, logger: logger)
        evaluation = ThresholdEvaluation(stage: Self.stage, currency: currency, reader: reader, logger: logger)
    }

    /// Reacts until its task is cancelled.
    /// - Throws: `StoreError` when the log refuses for good: another watcher has taken over, or access is denied.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        try await begin()
        let batches = subscriptions.subscribe(after: handled, types: Self.types)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await batch in batches { try await self.handle(batch) }
            }
            group.addTask {
                while !Task.isCancelled {
                    try await self.pause(Self.idle)
                    try await self.moveCheckpoint()
                }
            }
            // Whichever ends first ends the other: a subscription that is over, or a cancelled run.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Handles everything up to the head and returns with its checkpoint there.
    package func catchUp() async throws {
        try await begin()
        var page = try await reader.read(after: handled, limit: ReactorBounds.pageEvents, types: Self.types)
        while true {
            // The next page is read while this one is judged.
            let read = page.scannedThrough
            async let following = reader.read(after: read, limit: ReactorBounds.pageEvents, types: Self.types)
            try await handle(
                SubscriptionBatch(events: page.events, scannedThrough: read, head: page.head))
            let next = try await following
            // What it appended itself is passed over in a last round.
            if next.scannedThrough == read, try await reader.head() == read { break }
            page = next
        }
        try await moveCheckpoint()
    }

    private func begin() async throws {
        checkpoint = try await writer.open()
        head = try await reader.head()
        handled = try await evaluation.begin(at: checkpoint, head: head)
        await report()
    }

    private func report() async {
        onProgress(
            ReactorProgress(checkpoint: handled, head: max(head, handled), parked: await evaluation.parkedCount))
    }

    /// Batches and the clock take turns: an append under way must not be overtaken by the next.
    private func takeTurn() async {
        if !turns.take() { await withCheckedContinuation { turns.wait($0) } }
    }

    private func handle(_ batch: SubscriptionBatch) async throws {
        await takeTurn()
        defer { turns.end() }
        head = max(head, batch.head)
        let verdict = try await evaluation.judge(
            batch.events, through: batch.scannedThrough, isAtHead: batch.scannedThrough >= head)
        handled = max(handled, verdict.through)
        if !verdict.findings.isEmpty || !verdict.failures.isEmpty {
            try await append(verdict)
        } else if handled.value - checkpoint.value >= ReactorBounds.checkpointStride {
            try await writer.append([], checkpoint: handled)
            checkpoint = handled
        }
        await report()
    }

    private func append(_ verdict: ThresholdEvaluation.Verdict) async throws {
        let failures = StreamName.failures(stage: Self.stage)
        let appends =
            verdict.findings.map { finding in
                StreamAppend(
                    finding.stream,
                    [
                        finding.event.newEvent(
                            in: finding.stream, occurred: now(), causation: finding.cause.event.id,
                            correlation: finding.cause.event.correlation)
                    ])
            } + verdict.failures.map { StreamAppend(failures, [$0.newEvent(in: failures, occurred: now())]) }
        var chunks = AppendPacking.chunks(appends)
        let last = chunks.removeLast()
        for chunk in chunks { try await writer.append(chunk) }
        try await writer.append(last, checkpoint: verdict.through)
        checkpoint = verdict.through
        await evaluation.appended()
        for finding in verdict.findings {
            logger.info("found", metadata: ["stream": "\(finding.stream)", "type": "\(finding.event.type)"])
        }
    }

    /// Where events lead to nothing, the checkpoint follows them all the same, so that a restart does not repeat them.
    private func moveCheckpoint() async throws {
        await takeTurn()
        defer { turns.end() }
        guard handled > checkpoint else { return }
        try await writer.append([], checkpoint: handled)
        checkpoint = handled
    }
}
