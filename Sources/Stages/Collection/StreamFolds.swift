import EventLog
import FinOps

/// Folds of the streams that were read last, so that a poll reads only what is new in them.
actor StreamFolds<Fold: Decider> where Fold.Event == FinOpsEvent {
    struct Folded: Sendable {
        var state = Fold.initialState
        var version = StreamVersion.none
    }

    private let most: Int
    private var folds: [StreamName: Folded] = [:]
    /// The one used last at the end.
    private var order: [StreamName] = []

    /// - Parameter most: streams that are kept.
    init(most: Int) { self.most = most }

    /// The stream as it is now.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    func current(_ stream: StreamName, in log: any EventReader) async throws -> Folded {
        var folded = folds[stream] ?? Folded()
        while true {
            let events = try await log.read(stream: stream, after: folded.version, limit: EventLimits.readEvents)
            guard let last = events.last else { break }
            for event in events {
                if let known = try EventCatalogue.decode(event.event) { Fold.evolve(&folded.state, known) }
            }
            folded.version = last.version
        }
        keep(folded, of: stream)
        return folded
    }

    private func keep(_ folded: Folded, of stream: StreamName) {
        folds[stream] = folded
        order.removeAll { $0 == stream }
        order.append(stream)
        if order.count > most { folds[order.removeFirst()] = nil }
    }
}

/// What the log said of the days that were kept last.
package struct DayMemory: Sendable {
    /// A running business day touches two UTC days; each has usage and a bill.
    private static let days = 2

    let usage = StreamFolds<UsageDay>(most: days)
    let bills = StreamFolds<BillDay>(most: days)

    package init() {}
}
