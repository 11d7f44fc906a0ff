package import EventLog
import FinOps
package import Logging
package import Spool

/// Follows the log for a gateway: what it admits by is brought up to date within milliseconds, kept on disk, and each
/// disablement that is in force is told through the spool.
package actor GatewaySubscription {
    /// What it goes by.
    package struct Settings: Sendable {
        /// Its name.
        package var gateway: String
        /// What the sink goes by.
        package var types: Set<EventType>
        /// How often the state is kept when no key was disabled.
        package var keepEvery: Duration
        /// How often the log is asked whether it is there.
        package var askEvery: Duration
        /// How long the log is waited for at the start where there is a state to go on with.
        package var patience: Duration

        package init(
            gateway: String, types: Set<EventType>, keepEvery: Duration = .seconds(10),
            askEvery: Duration = .seconds(1), patience: Duration = .seconds(2)
        ) {
            self.gateway = gateway
            self.types = types
            self.keepEvery = keepEvery
            self.askEvery = askEvery
            self.patience = patience
        }
    }

    /// How far it is.
    package struct Progress: Hashable, Sendable {
        /// Everything up to here is in force.
        package var handled: Position
        /// The log's, as far as known.
        package var head: Position
        /// Whether calls may be admitted by what is known.
        package var isReady: Bool
        /// Whether all is known that the log held when it was first heard of.
        package var isCurrent: Bool
        /// Events of the needed types that could not be read.
        package var unreadable: Int
    }

    private let settings: Settings
    private let sink: any GatewaySink
    private let spool: Spool
    private let snapshots: SnapshotFile
    private let ask: @Sendable () async throws(StoreError) -> Position
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void
    private let onProgress: @Sendable (Progress) -> Void

    /// Since when something may have been missed; asked for each call.
    package nonisolated let contact = LogContact()

    private var handled: Position = .start
    private var head: Position = .start
    private var isReady = false
    private var unreadable = 0
    private var hasState = false
    /// Head of the log when it was first heard of.
    private var goal: Position?
    /// Decisions up to here were in force before this run, or told by an earlier one.
    private var toldThrough: Position?
    private var announcements: [RecordedEvent] = []
    private var kept: (position: Position, contact: Timestamp)?
    private let (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - snapshots: the gateway's state file.
    ///   - ask: asks the log itself, not its file, for its head.
    ///   - now: the machine's clock, not the pipeline's: it measures how long the log was away.
    ///   - pause: waits in real time.
    package init(
        _ settings: Settings, sink: any GatewaySink, spool: Spool, snapshots: SnapshotFile,
        ask: @escaping @Sendable () async throws(StoreError) -> Position, logger: Logger,
        now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onProgress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        self.settings = settings
        self.sink = sink
        self.spool = spool
        self.snapshots = snapshots
        self.ask = ask
        self.logger = logger
        self.now = now
        self.pause = pause
        self.onProgress = onProgress
    }

    /// Follows the log until its task is cancelled.
    /// - Throws: `StoreError` for what waiting does not mend; `SpoolFailure` if the state file is damaged.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        try restore()
        let batches = subscriptions.subscribe(after: handled, types: settings.types)
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for try await batch in batches { await self.handle(batch) }
                    return true
                }
                group.addTask { try await self.askForHeads() }
                group.addTask { try await self.ringForKeeping() }
                group.addTask {
                    for await _ in self.bells { await self.keep() }
                    return true
                }
                group.addTask {
                    try await self.pause(self.settings.patience)
                    await self.goOnWithoutLog()
                    return false
                }
                // Whichever ends first ends all, patience apart: a subscription that is over, a failure, a cancelled run.
                while let isOver = try await group.next(), !isOver {}
                group.cancelAll()
            }
        } catch StoreError.failed(let failure) where failure.code == "log-went-back" {
            throw GatewayAhead(state: snapshots.path, reason: failure.message)
        }
    }

    // MARK: The start

    private func restore() throws {
        guard let snapshot = try snapshots.load() else { return }
        do {
            let state = try KeptState.decode(snapshot.bytes)
            try sink.restore(state.admission)
            announcements = state.announcements
            let seconds = max(0, now().seconds - state.contact.seconds)
            contact.wasOld(.seconds(seconds), at: .now)
        } catch {
            // The log has everything that this state was made of.
            logger.warning(
                "state of another version; the log is read from its beginning", metadata: ["error": "\(error)"])
            toldThrough = snapshot.position
            return
        }
        (handled, toldThrough, hasState) = (snapshot.position, snapshot.position, true)
        contact.handled(handled)
        bell.yield()
    }

    /// A state on disk is gone on with when nothing is heard of the log.
    private func goOnWithoutLog() {
        guard hasState, !isReady, goal == nil else { return }
        logger.warning("the log does not answer: going on with what was known", metadata: ["position": "\(handled)"])
        isReady = true
        report()
    }

    // MARK: Following

    private func handle(_ batch: SubscriptionBatch) {
        head = max(head, batch.head)
        let goal = goal ?? batch.head
        let told = toldThrough ?? batch.head
        (self.goal, toldThrough) = (goal, told)
        var events: [GatewayEvent] = []
        events.reserveCapacity(batch.events.count)
        for recorded in batch.events {
            guard let event = sink.known(recorded) ?? read(recorded) else { continue }
            events.append(GatewayEvent(recorded: recorded, event: event))
        }
        let enforcements = sink.apply(events, through: batch.scannedThrough)
        handled = max(handled, batch.scannedThrough)
        contact.handled(handled)
        let new = enforcements.filter { Position($0.fact.decision) > told }
        announcements += new.map { announcement(of: $0) }
        if !isReady, handled >= goal { isReady = true }
        if !new.isEmpty { bell.yield() }
        report()
    }

    private func read(_ recorded: RecordedEvent) -> FinOpsEvent? {
        do {
            if let event = try EventCatalogue.decode(recorded.event) { return event }
            logger.warning(
                "event of an unknown schema left alone",
                metadata: ["position": "\(recorded.position)", "type": "\(recorded.type)"])
        } catch {
            logger.error(
                "event cannot be read", metadata: ["position": "\(recorded.position)", "error": "\(error)"])
        }
        unreadable += 1
        return nil
    }

    /// Its id follows from what it says: told twice, it can be known for the same.
    private func announcement(of enforcement: KeyEnforcement) -> RecordedEvent {
        let stream = StreamName.enforcement(gateway: settings.gateway)
        let event = FinOpsEvent.keyDisablementEnforced(enforcement.fact).newEvent(
            in: stream, occurred: Timestamp(microseconds: enforcement.fact.enforced), causation: enforcement.cause)
        return RecordedEvent(
            position: Position(enforcement.fact.decision), stream: stream, version: .none, recorded: event.occurred,
            producer: "", producerSequence: 0, event: event)
    }

    private func report() {
        onProgress(
            Progress(
                handled: handled, head: max(head, handled), isReady: isReady,
                isCurrent: goal.map { handled >= $0 } ?? false, unreadable: unreadable))
    }

    // MARK: Keeping

    private func ringForKeeping() async throws -> Bool {
        while !Task.isCancelled {
            try await pause(settings.keepEvery)
            bell.yield()
        }
        return true
    }

    /// Writes the state down, and then says what is in force: a gateway that started again without the log would otherwise
    /// admit what it said that it refuses.
    private func keep() async {
        // What comes while it is written is not in it: that waits for the next time.
        let told = announcements.count
        let contact = lastContact
        if told > 0 || kept.map({ $0 != (handled, contact) }) ?? true, !(await save(contact)) { return }
        for announcement in announcements.prefix(told) {
            do throws(SpoolFailure) {
                try spool.append(announcement.event, to: announcement.stream)
            } catch {
                // It stays in the state until it is told.
                return logger.error("a disablement cannot be told yet", metadata: ["error": "\(error)"])
            }
            announcements.removeFirst()
        }
    }

    private func save(_ contact: Timestamp) async -> Bool {
        let state = KeptState(announcements: announcements, contact: contact, admission: sink.snapshot())
        let position = handled
        do throws(SpoolFailure) {
            try await snapshots.save(SnapshotFile.Snapshot(position: position, bytes: state.encoded))
        } catch {
            logger.error("the gateway's state cannot be kept", metadata: ["error": "\(error)"])
            return false
        }
        kept = (position, contact)
        return true
    }

    private var lastContact: Timestamp {
        now().advanced(bySeconds: -contact.age().components.seconds)
    }

    // MARK: Whether the log is there

    private func askForHeads() async throws -> Bool {
        while !Task.isCancelled {
            let moment = ContinuousClock.now
            do throws(StoreError) {
                contact.heard(try await ask(), asked: moment)
            } catch {
                logger.debug("the log does not answer", metadata: ["error": "\(error)"])
            }
            try await pause(settings.askEvery)
        }
        return true
    }
}

/// The gateway knows more than the log does: the log was put back, and this gateway was not.
package struct GatewayAhead: Error, Hashable, CustomStringConvertible {
    let state: String
    let reason: String

    package var description: String {
        "\(reason): if the log was restored on purpose, remove \(state) and start the gateway again"
    }
}
