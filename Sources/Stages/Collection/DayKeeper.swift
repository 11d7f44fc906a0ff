import EventLog
import FinOps

/// Takes one UTC day's statement into the log: reads what the log says, decides the difference, appends it. Whoever
/// else wrote meanwhile is noticed by the stream's version; then it is read and decided again. Killed anywhere and run
/// again, it ends the same: what is in the log already is no difference.
struct DayKeeper: Sendable {
    /// Events of one append at most.
    static let batchEvents = 1_000
    private static let attempts = 10

    let log: any EventStore
    let producer: FreshProducer
    let memory: DayMemory
    let run: EventID
    let now: @Sendable () -> Timestamp

    /// - Returns: what was appended.
    /// - Throws: `UsageRejection`; `StoreError`; `UndecodableEvent`.
    func keep(_ day: Day, _ observation: UsageObservation, _ prices: PriceCatalogue) async throws -> [FinOpsEvent] {
        let stream = StreamName.usage(account: observation.account, day: day)
        return try await keep(in: stream, memory.usage) { folded in
            let events = try UsageDay.decide(.observe(observation, prices), folded.state)
            let appends = UsageDay.appends(
                events, account: observation.account, day: day, expected: folded.version, occurred: now(),
                correlation: run)
            return Decision(events: events, appends: appends)
        }
    }

    /// - Returns: what was appended.
    /// - Throws: `BillRejection`; `StoreError`; `UndecodableEvent`.
    func keep(_ day: Day, _ observation: BillObservation) async throws -> [FinOpsEvent] {
        let stream = StreamName.bill(account: observation.account, day: day)
        return try await keep(in: stream, memory.bills) { folded in
            let events = try BillDay.decide(observation, folded.state)
            let appends = BillDay.appends(
                events, account: observation.account, day: day, expected: folded.version, occurred: now(),
                correlation: run)
            return Decision(events: events, appends: appends)
        }
    }

    /// What is decided on a stream as it was read.
    private struct Decision {
        let events: [FinOpsEvent]
        let appends: [StreamAppend]
    }

    private func keep<Fold>(
        in stream: StreamName, _ folds: StreamFolds<Fold>, decide: (StreamFolds<Fold>.Folded) throws -> Decision
    ) async throws -> [FinOpsEvent] {
        var attempt = 1
        while true {
            let decision = try decide(try await folds.current(stream, in: log))
            if try await append(decision, isLastAttempt: attempt == Self.attempts) { return decision.events }
            attempt += 1
        }
    }

    /// - Returns: false if somebody else wrote to the stream meanwhile, and there is another attempt.
    private func append(_ decision: Decision, isLastAttempt: Bool) async throws(StoreError) -> Bool {
        do throws(StoreError) {
            for batch in Self.batches(of: decision.appends) { try await producer.append(batch) }
            return true
        } catch {
            guard case .refused(.conflict) = error, !isLastAttempt else { throw error }
            return false
        }
    }

    /// The day's stream is cut into batches that follow each other by version. What belongs to other streams (the index of
    /// unpriced models) goes with the first: once a row is in the log, its model counts as announced.
    static func batches(of appends: [StreamAppend]) -> [[StreamAppend]] {
        guard let own = appends.first else { return [] }
        guard case .exactly(var version) = own.expected else { return [appends] }
        var batches: [[StreamAppend]] = []
        var rest = own.events[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(batchEvents))
            batches.append([StreamAppend(own.stream, expected: .exactly(version), piece)])
            version = StreamVersion(version.value + UInt64(piece.count))
            rest = rest.dropFirst(piece.count)
        }
        if !batches.isEmpty { batches[0] += appends.dropFirst() }
        return batches
    }
}
