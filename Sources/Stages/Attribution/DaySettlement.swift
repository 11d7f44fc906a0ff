import EventLog
import FinOps

/// Spreads one account's bill of a UTC day as the log has it now.
struct DaySettlement: Sendable {
    let reader: any EventReader
    let force: BillForce

    /// - Returns: what has to be appended to the day's allocation stream; nil if everything stands as it should.
    /// - Throws: `StoreError` if the log cannot be read; `UndecodableEvent`, `AllocationDay.Rejection` or
    ///   `AllocationTooLarge` for a day that cannot be spread.
    func append(for day: AccountDay, now: Timestamp, causation: EventID?) async throws -> StreamAppend? {
        let bill = BillDay.fold(try await events(.bill(account: day.account, day: day.day)).events)
        guard !bill.isEmpty else { return nil }
        let usage = UsageDay.fold(try await events(.usage(account: day.account, day: day.day)).events)
        let stream = StreamName.allocation(account: day.account, day: day.day)
        let (history, version) = try await events(stream)
        let decided = try AllocationDay.decide(
            .init(
                account: day, bill: bill, cells: usage.meteredCells, isDue: force.isDue(day.day, at: now)),
            AllocationDay.fold(history))
        guard !decided.isEmpty else { return nil }
        let new = decided.map { $0.newEvent(in: stream, occurred: now, causation: causation) }
        if let large = new.first(where: { $0.payload.count > EventLimits.payloadBytes }) {
            throw AllocationTooLarge(bytes: large.payload.count)
        }
        return StreamAppend(stream, expected: .exactly(version), new)
    }

    private func events(_ stream: StreamName) async throws -> (events: [FinOpsEvent], version: StreamVersion) {
        let recorded = try await reader.readAll(stream: stream)
        return (try recorded.compactMap { try EventCatalogue.decode($0.event) }, recorded.last?.version ?? .none)
    }
}

/// A bill row spread over more keys and hours than one event can hold.
struct AllocationTooLarge: Error, Hashable, CustomStringConvertible {
    let bytes: Int

    var description: String { "an allocation of \(bytes) bytes exceeds an event's \(EventLimits.payloadBytes)" }
}
