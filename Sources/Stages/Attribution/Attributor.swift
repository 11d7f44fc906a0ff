package import EventLog
package import FinOps
package import Logging

/// Answers mappings with assignments, and bills with their allocation over hours, keys and models. A reactor: its checkpoint
/// is its producer's sequence in the log, so after any crash it goes on where the log says it was.
package actor Attributor {
    /// The producer's name in the log as well, under which it keeps its checkpoint.
    package static let stage = "attributor"

    /// When bills count, and how often the attributor looks.
    package struct Settings: Sendable {
        /// When a day's bill counts.
        package var force: BillForce
        /// How often due bills are looked for.
        package var tick: Duration
        /// A day that is not due yet is spread again at most this often when its usage changes; at its bill's own changes, and
        /// when it falls due, at once.
        package var respreadSeconds: Int64

        package init(
            force: BillForce = BillForce(), tick: Duration = .milliseconds(500), respreadSeconds: Int64 = 3_600
        ) {
            self.force = force
            self.tick = tick
            self.respreadSeconds = respreadSeconds
        }
    }

    /// What it reacts to.
    package static let types: Set<EventType> = Directory.types.union([
        "usage.recorded", "usage.restated", "usage.repriced", "bill.recorded", "bill.restated", "processing.retried",
        "processing.skipped",
    ])

    private let reader: any EventReader
    private let settings: Settings
    private let now: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void
    private let logger: Logger
    private let onProgress: @Sendable (ReactorProgress) -> Void
    private let writer: ReactorWriter
    private let settlement: DaySettlement

    private var memory = AttributorMemory()
    /// Days to be settled at a moment: when their bill falls due, or when usage has changed long enough ago.
    private var waiting: [AccountDay: Timestamp] = [:]
    private var lastUsage: (stream: StreamName, day: AccountDay?) = ("", nil)
    private var turns = Turns()

    private var checkpoint: Position = .start
    private var head: Position = .start

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    ///   - now: the pipeline's clock.
    ///   - pause: waits; real time, also where the pipeline's clock is scaled.
    ///   - onProgress: told when it has begun, and whenever it has come further.
    package init(
        store: any EventStore, reader: any EventReader, settings: Settings = Settings(), logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onProgress: @escaping @Sendable (ReactorProgress) -> Void = { _ in }
    ) {
        self.reader = reader
        self.settings = settings
        self.now = now
        self.pause = pause
        self.logger = logger
        self.onProgress = onProgress
        writer = ReactorWriter(stage: Self.stage, store: store, pause: pause, logger: logger)
        settlement = DaySettlement(reader: reader, force: settings.force)
    }

    // MARK: Running

    /// Reacts until its task is cancelled.
    /// - Throws: `StoreError` when the log refuses for good: another attributor has taken over, or access is denied.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        try await begin()
        let batches = subscriptions.subscribe(after: checkpoint, types: Self.types)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await batch in batches { try await self.handle(batch) }
            }
            group.addTask {
                while !Task.isCancelled {
                    try await self.pause(self.settings.tick)
                    try await self.settleDue()
                }
            }
            // Whichever ends first ends the other: a subscription that is over, or a cancelled run.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Handles everything up to the head, due bills included, and returns with its checkpoint there.
    package func catchUp() async throws {
        try await begin()
        var handled = checkpoint
        repeat {
            let page = try await reader.read(after: handled, limit: ReactorBounds.pageEvents, types: Self.types)
            handled = page.scannedThrough
            try await handle(
                SubscriptionBatch(events: page.events, scannedThrough: handled, head: page.head), settlingAll: true)
            // What it appended itself is passed over in a last round.
        } while try await reader.head() > handled
    }

    private func begin() async throws {
        checkpoint = try await writer.open()
        memory = try await AttributorMemory.load(from: reader, checkpoint: checkpoint)
        head = try await reader.head()
        waiting = [:]
        try await recallWaiting()
        report()
    }

    private func report() {
        onProgress(ReactorProgress(checkpoint: checkpoint, head: max(head, checkpoint), parked: memory.parking.count))
    }

    /// Days whose bill was handled before it was due. Nothing remembers them, but they cannot be older than what the log
    /// held when the checkpoint was written, less the grace.
    private func recallWaiting() async throws {
        guard checkpoint > .start,
            let last = try await reader.read(after: Position(checkpoint.value - 1), limit: 1, types: nil).events.first
        else { return }
        let margin: Int64 = 2 * 86_400
        let oldest = last.recorded.advanced(bySeconds: -margin)
        for day in memory.billDays where settings.force.due(day.day) > oldest { waiting[day] = .distantPast }
    }

    /// Batches and the clock take turns: each works over several waits, in which the other must not change what it knows.
    private func takeTurn() async {
        if !turns.take() { await withCheckedContinuation { turns.wait($0) } }
    }

    // MARK: Reacting

    /// What a batch asks for.
    private struct Work {
        /// Days to settle, with the event that asks for it.
        var days: [AccountDay: RecordedEvent?] = [:]
        var assignments: [StreamAppend] = []
        var failures: [FinOpsEvent] = []
    }

    private func handle(_ batch: SubscriptionBatch, settlingAll: Bool = false) async throws {
        await takeTurn()
        defer { turns.end() }
        head = max(head, batch.head)
        var work = Work()
        for event in batch.events { try await sort(event, into: &work, settlingAll: settlingAll) }
        for day in dueDays(all: settlingAll) where work.days[day] == nil { work.days[day] = .some(nil) }
        let isAtHead = batch.scannedThrough >= head
        let isFar = batch.scannedThrough.value - checkpoint.value >= ReactorBounds.checkpointStride
        let isIdle = work.days.isEmpty && work.assignments.isEmpty && work.failures.isEmpty
        if isIdle, !isAtHead, !isFar { return report() }
        try await carryOut(&work, through: batch.scannedThrough)
    }

    private func settleDue() async throws {
        await takeTurn()
        defer { turns.end() }
        let due = dueDays(all: false)
        guard !due.isEmpty else { return }
        var work = Work()
        for day in due { work.days[day] = .some(nil) }
        try await carryOut(&work, through: nil)
    }

    private func dueDays(all: Bool) -> [AccountDay] {
        let now = now()
        // In a catch-up a day that waits only to save work is settled now; one that is not due yet stays.
        return waiting.filter { day, moment in
            (moment <= now || all && moment < settings.force.due(day.day)) && !memory.parking.isParked(day)
        }.map(\.key)
    }

    private func sort(_ event: RecordedEvent, into work: inout Work, settlingAll: Bool) async throws {
        switch event.stream.category {
        case "usage":
            // Only the name is needed: of millions of usage events few belong to a day that has a bill.
            guard let day = billDay(of: event.stream) else { return }
            if settlingAll || settings.force.isDue(day.day, at: now()) {
                ask(for: day, because: event, &work)
            } else {
                let later = now().advanced(bySeconds: settings.respreadSeconds)
                waiting[day] = min(waiting[day] ?? later, later)
            }
        case "bill":
            guard let day = event.stream.accountDay else { return }
            memory.billDays.insert(day)
            ask(for: day, because: event, &work)
        case "failures": try await answerAdministrator(event, &work)
        default: answerDirectory(event, &work)
        }
    }

    /// Neighbours in the log are mostly of one stream, whose name is read once.
    private func billDay(of stream: StreamName) -> AccountDay? {
        if lastUsage.stream != stream { lastUsage = (stream, stream.accountDay) }
        return lastUsage.day.flatMap { memory.billDays.contains($0) ? $0 : nil }
    }

    private func ask(for day: AccountDay, because event: RecordedEvent, _ work: inout Work) {
        // A parked day waits for an administrator; its later changes wait with it, and need no record of their own: settling
        // a day takes in all of them.
        guard !memory.parking.isParked(day) else { return }
        if work.days[day] == nil { work.days[day] = .some(event) }
    }

    private func answerDirectory(_ event: RecordedEvent, _ work: inout Work) {
        guard !memory.parking.isParked(event.stream) else {
            park(event, attempts: 0, error: "an earlier event of this stream is parked", &work)
            return
        }
        do {
            guard let decoded = try EventCatalogue.decode(event.event) else {
                logger.warning(
                    "event of an unknown schema left alone",
                    metadata: ["position": "\(event.position)", "type": "\(event.type)"])
                return
            }
            for answer in try memory.reactor.react(to: decoded, at: event.position) {
                let stream = StreamName.assignment(provider: answer.provider, account: answer.account)
                let new = FinOpsEvent.attributionAssigned(answer).newEvent(
                    in: stream, occurred: now(), causation: event.event.id, correlation: event.event.correlation)
                work.assignments.append(StreamAppend(stream, [new]))
            }
        } catch {
            // Pure and given the same input it would fail the same way: one attempt stands for three.
            park(event, attempts: 3, error: "\(error)", &work)
        }
    }

    private func park(_ event: RecordedEvent, attempts: UInt32, error: String, _ work: inout Work) {
        let failed = WireProcessingFailed(event, stage: Self.stage, attempts: attempts, error: error)
        memory.parking.evolve(.processingFailed(failed))
        work.failures.append(.processingFailed(failed))
        logger.error(
            "event parked",
            metadata: ["position": "\(event.position)", "stream": "\(event.stream)", "error": "\(error)"])
    }

    /// An administrator lets a parked event be tried again, or skipped; what waited behind it follows.
    private func answerAdministrator(_ event: RecordedEvent, _ work: inout Work) async throws {
        guard let decoded = try? EventCatalogue.decode(event.event) else { return }  // Not about anything parked here.
        let freed: (position: Position, isRetried: Bool)
        switch decoded {
        case .processingRetried(let retry) where retry.stage == Self.stage: freed = (Position(retry.position), true)
        case .processingSkipped(let skip) where skip.stage == Self.stage: freed = (Position(skip.position), false)
        default: return
        }
        guard let stream = memory.parking.stream(of: freed.position) else { return }
        let behind = memory.parking.parked[stream] ?? []
        memory.parking.evolve(decoded)
        for position in behind where position != freed.position { letThrough(position, &work) }
        for position in behind where freed.isRetried || position != freed.position {
            let page = try await reader.read(after: Position(position.value - 1), limit: 1, types: nil)
            guard let parked = page.events.first else { continue }
            if let day = parked.stream.accountDay, ["usage", "bill"].contains(parked.stream.category) {
                ask(for: day, because: parked, &work)
            } else {
                answerDirectory(parked, &work)
            }
        }
    }

    /// What waited behind a parked event is handled now, and the log says so.
    private func letThrough(_ position: Position, _ work: inout Work) {
        var retried = WireProcessingRetried()
        retried.stage = Self.stage
        retried.position = position.value
        retried.reason = "the event before it was settled"
        memory.parking.evolve(.processingRetried(retried))
        work.failures.append(.processingRetried(retried))
    }

    // MARK: Appending

    /// Settles days and appends everything; the last request moves the checkpoint.
    private func carryOut(_ work: inout Work, through position: Position?) async throws {
        for attempt in 1... {
            let allocations = try await settle(&work, attempt: attempt)
            do {
                try await append(allocations, work, through: position)
                return
            } catch StoreError.refused(.conflict(let stream, _, let actual)) where attempt < 3 {
                logger.notice(
                    "stream moved on, deciding again", metadata: ["stream": "\(stream)", "version": "\(actual)"])
            }
        }
    }

    private func settle(_ work: inout Work, attempt: Int) async throws -> [StreamAppend] {
        var appends: [StreamAppend] = []
        for (day, event) in work.days.sorted(by: { ($0.key.day, $0.key.account) < ($1.key.day, $1.key.account) }) {
            do {
                let append = try await settlement.append(for: day, now: now(), causation: event?.event.id)
                if let append { appends.append(append) }
                remember(day)
            } catch let error as StoreError {
                throw error
            } catch {
                work.days[day] = nil
                waiting[day] = nil
                try await parkDay(day, event, error: "\(error)", &work)
            }
        }
        return appends
    }

    private func remember(_ day: AccountDay) {
        waiting[day] = settings.force.isDue(day.day, at: now()) ? nil : settings.force.due(day.day)
    }

    /// A day that fell due and cannot be spread is put aside by its bill's last event.
    private func parkDay(_ day: AccountDay, _ event: RecordedEvent?, error: String, _ work: inout Work) async throws {
        let stream = StreamName.bill(account: day.account, day: day.day)
        guard let blamed = if let event { event } else { try await reader.readAll(stream: stream).last } else { return }
        park(blamed, attempts: 3, error: error, &work)
    }

    private func append(_ allocations: [StreamAppend], _ work: Work, through position: Position?) async throws {
        let failures = work.failures.map { failure in
            let stream = StreamName.failures(stage: Self.stage)
            return StreamAppend(stream, [failure.newEvent(in: stream, occurred: now())])
        }
        // Allocations first: only they can conflict, and a conflict then finds no later part written.
        var chunks = AppendPacking.chunks(allocations + work.assignments + failures)
        let last = position == nil ? nil : chunks.removeLast()
        for chunk in chunks where !chunk.isEmpty { try await writer.append(chunk) }
        if let position, let last {
            try await writer.append(last, checkpoint: position)
            checkpoint = max(checkpoint, position)
        }
        report()
    }
}
