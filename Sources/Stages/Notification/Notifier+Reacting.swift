import EventLog
import FinOps
import Logging

extension Notifier {
    /// Events that wait for a checkpoint before one is written for nothing else.
    private static let checkpointStride: UInt64 = 10_000
    /// So far behind the head, more of the same may be coming: what is found is told together.
    private static let backlogEvents: UInt64 = 200

    /// What a batch would change.
    private struct Draft {
        var memory: NotifierMemory
        /// What is to be queued, by destination, and what is to be started with it.
        var entries: [String: [FinOpsEvent]] = [:]
        var plans: [String: DeliveryPlan] = [:]
        var failures: [FinOpsEvent] = []
    }

    func handle(_ batch: SubscriptionBatch) async throws {
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
}
