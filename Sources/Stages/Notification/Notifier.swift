package import EventLog
package import FinOps
package import Logging
package import Notices

/// Takes alerts to people: queues what is to be told in the outbox of each destination, and sees to it that it gets there.
/// Everything it knows is in the log: whenever it is killed, it goes on from there. A message of which nothing was heard is
/// sent again, and says so; one that the other side has acknowledged is not.
package actor Notifier {
    /// The producer's name in the log as well, under which it keeps its checkpoint.
    package static let stage = "notifier"

    /// What it goes by.
    package struct Settings: Sendable {
        package var outbox: Outbox.Settings
        package var silence: SilenceWatch.Settings
        /// The stages to watch, each with the condition of its standstill.
        package var stages: [String: String]
        /// How often it looks what does not happen.
        package var tick: Duration

        package init(
            outbox: Outbox.Settings = Outbox.Settings(), silence: SilenceWatch.Settings = SilenceWatch.Settings(),
            stages: [String: String] = [:], tick: Duration = .seconds(5)
        ) {
            self.outbox = outbox
            self.silence = silence
            self.stages = stages
            self.tick = tick
        }
    }

    /// What it works with.
    package struct Surroundings: Sendable {
        /// The pipeline's clock.
        package var now: @Sendable () -> Timestamp
        /// Returns when that clock shows a time.
        package var sleep: @Sendable (Timestamp) async throws -> Void
        /// Waits in real time, also where the pipeline's clock is scaled.
        package var pause: @Sendable (Duration) async throws -> Void
        /// Makes what delivers to a destination of a channel.
        package var open: @Sendable (String, WireChannelSet) async throws(DeliveryRefusal) -> any NoticeDelivering
        /// How a stage is; nil if it does not answer.
        package var sample: @Sendable (String) async -> SilenceWatch.StageSample?
        package var logger: Logger
        /// Told when it has begun, and whenever something has changed.
        package var onProgress: @Sendable (Progress) -> Void

        package init(
            now: @escaping @Sendable () -> Timestamp, sleep: @escaping @Sendable (Timestamp) async throws -> Void,
            pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
            open: @escaping @Sendable (String, WireChannelSet) async throws(DeliveryRefusal) -> any NoticeDelivering,
            sample: @escaping @Sendable (String) async -> SilenceWatch.StageSample? = { _ in nil }, logger: Logger,
            onProgress: @escaping @Sendable (Progress) -> Void = { _ in }
        ) {
            self.now = now
            self.sleep = sleep
            self.pause = pause
            self.open = open
            self.sample = sample
            self.logger = logger
            self.onProgress = onProgress
        }
    }

    /// How far it is.
    package struct Progress: Sendable {
        /// Everything up to here is in the outboxes.
        package var handled: Position
        /// The log's head as far as known.
        package var head: Position
        /// nil: as they were.
        package var outboxes: [Outbox]?
        /// Attempts since the program started.
        package var delivered: [String: Int]
        package var failed: [String: Int]
    }

    /// What it reacts to.
    package static let types: Set<EventType> = Queueing.types.union(NotifierMemory.statementTypes)
        .union(SilenceWatch.types).union(ownTypes).union([retryType])
    /// An administrator's word that what was put aside can be read now.
    private static let retryType: EventType = "processing.retried"
    /// What others write into outboxes.
    private static let ownTypes: Set<EventType> = [
        "notification.queued", "notification.retried", "notification.skipped",
    ]

    /// Events that wait for a checkpoint before one is written for nothing else.
    private static let checkpointStride: UInt64 = 10_000
    private static let pageEvents = 5_000
    /// So far behind the head, more of the same may be coming: what is found is told together.
    private static let backlogEvents: UInt64 = 200

    let reader: any EventReader
    let surroundings: Surroundings
    let writer: ReactorWriter
    private let settings: Settings

    var memory: NotifierMemory
    private var checkpoint: Position = .start
    private var scanned: Position = .start
    private var head: Position = .start

    private var turns = Turns()

    /// Destinations with a message on its way.
    var underWay: Set<String> = []
    /// Messages that the log knows to have started, for their sender to take along.
    var prepared: [String: DeliveryPlan] = [:]
    var bells: [String: Doorbell] = [:]
    var doors: [String: (channel: WireChannelSet, deliverer: any NoticeDelivering)] = [:]
    var delivered: [String: Int] = [:]
    var failed: [String: Int] = [:]
    private var isSending = false
    private let (newDestinations, destinationFound) = AsyncStream.makeStream(of: String.self)

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    package init(
        store: any EventStore, reader: any EventReader, settings: Settings = Settings(), _ surroundings: Surroundings
    ) {
        self.reader = reader
        self.settings = settings
        self.surroundings = surroundings
        // For as long as it takes: an outcome that is not written down would be delivered again.
        writer = ReactorWriter(
            stage: Self.stage, store: store, attempts: .max, pause: surroundings.pause, logger: surroundings.logger)
        memory = NotifierMemory(settings)
    }

    // MARK: Running

    /// Reacts and delivers until its task is cancelled; a message that is on its way is waited for.
    /// - Throws: `StoreError` when the log refuses for good, `NotifierReplaced` when another notifier has taken over.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        checkpoint = try await writer.open()
        scanned = checkpoint
        try await load(through: checkpoint)
        try await catchUp()
        isSending = true
        let batches = subscriptions.subscribe(after: scanned, types: Self.types)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                defer { self.destinationFound.finish() }
                for try await batch in batches { try await self.handle(batch) }
            }
            group.addTask {
                defer { self.destinationFound.finish() }
                try await self.watchTheClock()
            }
            announceDestinations()
            // Whichever ends first ends all: a subscription that is over, a failure, a cancelled run.
            for await destination in newDestinations {
                group.addTask {
                    defer { self.destinationFound.finish() }
                    try await self.send(destination)
                }
            }
            group.cancelAll()
        }
    }

    /// Delivers what waits for these destinations until its task is cancelled, and reacts to nothing.
    /// - Throws: as `run`.
    package func deliver(only destinations: [String]) async throws {
        _ = try await writer.open()
        try await load(through: try await reader.head())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for destination in destinations where memory.outboxes[destination] != nil {
                bells[destination] = Doorbell()
                group.addTask { try await self.send(destination) }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func load(through position: Position) async throws {
        var loaded = memory
        try await loaded.load(from: reader, through: position)
        memory = loaded
    }

    /// Up to the head, so that everything that is to be told is known before the first message leaves.
    private func catchUp() async throws {
        head = try await reader.head()
        report()
        repeat {
            let page = try await reader.read(after: scanned, limit: Self.pageEvents, types: Self.types)
            try await handle(
                SubscriptionBatch(events: page.events, scannedThrough: page.scannedThrough, head: page.head))
        } while scanned < head
    }

    func report(hasNews: Bool = true) {
        surroundings.onProgress(
            Progress(
                handled: scanned, head: max(head, scanned), outboxes: hasNews ? Array(memory.outboxes.values) : nil,
                delivered: delivered, failed: failed))
    }

    private func announceDestinations() {
        guard isSending else { return }
        for destination in memory.outboxes.keys.sorted() where bells[destination] == nil {
            bells[destination] = Doorbell()
            destinationFound.yield(destination)
        }
    }

    /// What is decided and what is then written belong together: whoever does so has a turn.
    func takeTurn() async {
        if !turns.take() { await withCheckedContinuation { turns.wait($0) } }
    }

    func endTurn() { turns.end() }

    // MARK: Reacting

    /// What a batch would change.
    private struct Draft {
        var memory: NotifierMemory
        /// What is to be queued, by destination, and what is to be started with it.
        var entries: [String: [FinOpsEvent]] = [:]
        var plans: [String: DeliveryPlan] = [:]
        var failures: [FinOpsEvent] = []
    }

    private func handle(_ batch: SubscriptionBatch) async throws {
        await takeTurn()
        defer { endTurn() }
        head = max(head, batch.head)
        try await takeInNews(batch)
        let retried = try await takeInRetried(batch)
        while true {
            let draft = draft(batch, retried: retried)
            let isFar =
                batch.scannedThrough.value - min(checkpoint.value, batch.scannedThrough.value) >= Self.checkpointStride
            if !draft.entries.isEmpty || !draft.failures.isEmpty || isFar {
                guard try await write(draft, through: batch.scannedThrough) else { continue }
            }
            return keep(draft, batch)
        }
    }

    /// What people and other programs wrote into outboxes.
    private func takeInNews(_ batch: SubscriptionBatch) async throws {
        for event in batch.events where Self.ownTypes.contains(event.type) {
            guard let destination = event.stream.destination, event.version > memory.version(event.stream) else {
                continue
            }
            try await refresh(destination)
        }
    }

    /// What had been put aside and is to be tried again. What it says of channels, snoozes and sources counts in its old
    /// place among all that was said since, so everything said is read anew.
    private func takeInRetried(_ batch: SubscriptionBatch) async throws -> [RecordedEvent] {
        var retried: [RecordedEvent] = []
        for event in batch.events where event.type == Self.retryType {
            // What cannot be decoded here is put aside like any other event.
            guard case .processingRetried(let retry)? = try? EventCatalogue.decode(event.event),
                retry.stage == Self.stage, retry.position > 0
            else { continue }
            retried += try await reader.read(after: Position(retry.position - 1), limit: 1, types: nil).events
        }
        guard !retried.isEmpty else { return [] }
        var reloaded = NotifierMemory(settings)
        try await reloaded.load(from: reader, through: scanned, answersThrough: batch.scannedThrough)
        memory = reloaded
        return retried
    }

    private func draft(_ batch: SubscriptionBatch, retried: [RecordedEvent]) -> Draft {
        var draft = Draft(memory: memory)
        let now = surroundings.now()
        for recorded in retried {
            decoded(recorded, &draft) { event, draft in queue(event, recorded, at: now, &draft) }
        }
        for recorded in batch.events where !Self.ownTypes.contains(recorded.type) {
            decoded(recorded, &draft) { event, draft in react(to: event, recorded, at: now, &draft) }
        }
        // Far behind, more may be coming that belongs into the same message.
        guard isSending, head.value - min(head.value, batch.scannedThrough.value) <= Self.backlogEvents else {
            return draft
        }
        for destination in draft.entries.keys where !underWay.contains(destination) {
            guard case .send(let plan) = draft.memory.outboxes[destination]?.next(at: now) else { continue }
            draft.plans[destination] = plan
            draft.entries[destination]?.append(plan.started)
            draft.memory.evolve(destination, [(plan.started, now)])
        }
        return draft
    }

    private func decoded(
        _ recorded: RecordedEvent, _ draft: inout Draft, _ body: (FinOpsEvent, inout Draft) -> Void
    ) {
        do {
            guard let event = try EventCatalogue.decode(recorded.event) else {
                surroundings.logger.warning(
                    "event of an unknown schema left alone",
                    metadata: ["position": "\(recorded.position)", "type": "\(recorded.type)"])
                return
            }
            body(event, &draft)
        } catch {
            putAside(recorded, error, &draft)
        }
    }

    private func react(to event: FinOpsEvent, _ recorded: RecordedEvent, at now: Timestamp, _ draft: inout Draft) {
        draft.memory.hear(event, position: recorded.position, at: recorded.event.occurred)
        // What it said of conditions itself it knows already.
        if recorded.stream.category != "condition" { draft.memory.silence.evolve(event, at: recorded.recorded) }
        queue(event, recorded, at: now, &draft)
    }

    private func queue(_ event: FinOpsEvent, _ recorded: RecordedEvent, at now: Timestamp, _ draft: inout Draft) {
        let items = Queueing.items(
            for: event, position: recorded.position, version: recorded.version,
            destinations: draft.memory.destinations)
        for item in items {
            draft.entries[item.destination, default: []].append(.notificationQueued(item))
            draft.memory.evolve(item.destination, [(.notificationQueued(item), now)])
        }
    }

    private func putAside(_ event: RecordedEvent, _ error: any Error, _ draft: inout Draft) {
        var failed = WireProcessingFailed()
        failed.stage = Self.stage
        failed.position = event.position.value
        failed.stream = event.stream.text
        failed.type = event.type.text
        failed.attempts = 1
        failed.error = "\(error)"
        draft.failures.append(.processingFailed(failed))
        surroundings.logger.error(
            "event put aside", metadata: ["position": "\(event.position)", "error": "\(error)"])
    }

    /// - Returns: false if somebody else wrote first, so that it has to be decided again.
    private func write(_ draft: Draft, through position: Position) async throws -> Bool {
        var appends = draft.entries.sorted { $0.key < $1.key }.map { append($1, to: .outbox($0)) }
        if !draft.failures.isEmpty {
            let stream = StreamName.failures(stage: Self.stage)
            let now = surroundings.now()
            appends.append(StreamAppend(stream, draft.failures.map { $0.newEvent(in: stream, occurred: now) }))
        }
        do {
            try await writer.append(appends, checkpoint: position)
            checkpoint = max(checkpoint, position)
            return true
        } catch StoreError.refused(.conflict(let stream, _, _)) {
            guard let destination = stream.destination else { throw NotifierReplaced(stream: stream) }
            try await refresh(destination)
            return false
        }
    }

    /// Events for a stream that only the notifier, and people through their commands, write.
    func append(_ events: [FinOpsEvent], to stream: StreamName) -> StreamAppend {
        let now = surroundings.now()
        return StreamAppend(
            stream, expected: .exactly(memory.version(stream)), events.map { $0.newEvent(in: stream, occurred: now) })
    }

    private func keep(_ draft: Draft, _ batch: SubscriptionBatch) {
        memory = draft.memory
        scanned = max(scanned, batch.scannedThrough)
        prepared.merge(draft.plans) { $1 }
        underWay.formUnion(draft.plans.keys)
        guard !batch.events.isEmpty else { return report(hasNews: false) }
        announceDestinations()
        // What people say changes what is due, too.
        for bell in bells.values { bell.ring() }
        report()
    }

    /// Reads what somebody else wrote into an outbox. It takes a turn, as all that changes what is known.
    /// - Throws: `NotifierReplaced` if it was another notifier.
    func refresh(_ destination: String) async throws {
        var refreshed = memory
        let news = try await refreshed.refresh(destination, from: reader)
        memory = refreshed
        let isOurs = news.allSatisfy {
            switch $0 {
            case .notificationQueued, .notificationRetried, .notificationSkipped: true
            default: false
            }
        }
        guard isOurs else { throw NotifierReplaced(stream: .outbox(destination)) }
        bells[destination]?.ring()
    }

    // MARK: What time brings about

    private func watchTheClock() async throws {
        while !Task.isCancelled {
            var samples: [String: SilenceWatch.StageSample?] = [:]
            for stage in settings.stages.keys.sorted() { samples[stage] = await surroundings.sample(stage) }
            try await look(samples)
            try await surroundings.pause(settings.tick)
        }
    }

    private func look(_ samples: [String: SilenceWatch.StageSample?]) async throws {
        await takeTurn()
        defer { endTurn() }
        let now = surroundings.now()
        var seen = memory
        seen.silence.look(samples, at: now)
        try await seen.lookForUsage(in: reader, at: now)
        memory = seen
        let conditions = memory.silence.decide(at: now)
        let canaries = memory.outboxes.compactMapValues { $0.canary(at: now) }
        if !conditions.isEmpty || !canaries.isEmpty { try await write(conditions, canaries, at: now) }
        if checkpoint < scanned {
            try await writer.append([], checkpoint: scanned)
            checkpoint = scanned
        }
        report()
    }

    private func write(
        _ conditions: [FinOpsEvent], _ canaries: [String: WireNotificationQueued], at now: Timestamp
    ) async throws {
        let byStream = Dictionary(grouping: conditions) { StreamName.conditions($0.conditionKind) }
        var appends = byStream.sorted { $0.key.text < $1.key.text }.map { append($1, to: $0) }
        for (destination, canary) in canaries.sorted(by: { $0.key < $1.key }) {
            appends.append(append([.notificationQueued(canary)], to: .outbox(destination)))
        }
        do { try await writer.append(appends) } catch StoreError.refused(.conflict(let stream, _, _)) {
            guard let destination = stream.destination else { throw NotifierReplaced(stream: stream) }
            return try await refresh(destination)  // It is decided again at the next tick.
        }
        for (stream, events) in byStream {
            memory.grew(stream, by: events.count)
            for event in events { memory.silence.evolve(event, at: now) }
        }
        for (destination, canary) in canaries {
            memory.evolve(destination, [(.notificationQueued(canary), now)])
            bells[destination]?.ring()
        }
    }
}

extension FinOpsEvent {
    fileprivate var conditionKind: String {
        switch self {
        case .conditionRaised(let event): event.kind
        case .conditionEnded(let event): event.kind
        default: ""
        }
    }
}

/// Another notifier works on the same log: there must be one.
package struct NotifierReplaced: Error, Hashable, CustomStringConvertible {
    let stream: StreamName

    package var description: String {
        "\(stream) was written by another notifier, which has taken over: one of the two has to be stopped"
    }
}

/// Why there is nobody who could deliver.
package struct DeliveryRefusal: Error, Hashable, Sendable {
    package let failure: DeliveryFailure

    package init(_ failure: DeliveryFailure) { self.failure = failure }
}
