import EventLog
import FinOps

extension Notifier {
    /// Looks at every tick what has not happened, until its task is cancelled.
    func watchTheClock() async throws {
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
