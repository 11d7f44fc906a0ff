package import EventLog
import SwiftProtobuf

/// Usage of one account on one UTC day. The stream is `usage-<account>-<day>`; every event carries the whole current
/// row, so the fold is "the last one counts".
package enum UsageDay: Decider {
    /// A row as it stands.
    package struct Cell: Hashable, Sendable {
        /// A row that a later walk no longer had has all quantities 0.
        package var row: WireUsageRow
        /// Unix seconds of the fetch that said so.
        package var observed: Int64
    }

    /// Every row of the day as last stated.
    package struct State: Sendable {
        /// Every row ever stated, those that vanished included.
        package var cells: [UsageIdentity: Cell] = [:]
        /// Models whose rows were met without a price on this day: announced once.
        package var unpricedModels: Set<String> = []
    }

    /// What is to be taken in.
    package enum Command: Sendable {
        /// Takes in what a walk saw of this day, priced with the catalogue of today.
        case observe(UsageObservation, PriceCatalogue)
        /// Prices what had no price. What has one waits for a correction.
        case reprice(PriceCatalogue)
        /// Gives the rows that a correction reaches the price of today's catalogue; what has a price never loses it.
        case correct(PriceCatalogue, PriceScope, id: String, reason: String)
    }

    package static var initialState: State { State() }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .usageRecorded(let recorded): keep(recorded.row, observed: recorded.observed, in: &state)
        case .usageRestated(let restated): keep(restated.row, observed: restated.observed, in: &state)
        case .usageRepriced(let repriced): keep(repriced.row, observed: repriced.observed, in: &state)
        default: break
        }
    }

    private static func keep(_ row: WireUsageRow, observed: Int64, in state: inout State) {
        state.cells[UsageIdentity(row)] = Cell(row: row, observed: observed)
        if !row.hasCost, row.hasModel { state.unpricedModels.insert(row.model) }
    }

    /// - Returns: events for this day's stream, and `model.unpriced` for streams of their own (`appends`).
    package static func decide(_ command: Command, _ state: State) throws(UsageRejection) -> [FinOpsEvent] {
        switch command {
        case .observe(let observation, let catalogue): try observe(observation, catalogue, state)
        case .reprice(let catalogue): reprice(state, catalogue) { !$0.hasCost }
        case .correct(let catalogue, let scope, let id, let reason):
            reprice(state, catalogue, correction: id, reason: reason) { row in
                row.hasModel && scope.covers(Day(utc: Timestamp(seconds: row.bucketStart)))
                    && scope.covers(provider: row.provider, model: row.model, in: catalogue)
            }
        }
    }

    // MARK: Observing

    private static func observe(_ observation: UsageObservation, _ catalogue: PriceCatalogue, _ state: State)
        throws(UsageRejection) -> [FinOpsEvent]
    {
        var pricing = UsagePricing(catalogue)
        let observed = observation.observed.seconds
        let statements = try statements(of: observation)
        var events: [FinOpsEvent] = []
        var unpriced: [WireUsageRow] = []
        for row in statements {
            let known = state.cells[UsageIdentity(row)]
            if let known, known.row.quantities == row.quantities { continue }
            let priced = row.priced(by: &pricing)
            events.append(statement(of: priced, after: known, observed: observed))
            if !priced.hasCost { unpriced.append(priced) }
        }
        let seen = Set(statements.map { UsageIdentity($0) })
        let vanished = state.cells.filter { identity, cell in
            !seen.contains(identity) && !cell.row.quantities.isZero
                && observation.covered.contains(UsageBucket(cell.row))
        }
        for (_, cell) in vanished.sorted(by: { $0.value.row.order < $1.value.row.order }) {
            var row = cell.row
            row.quantities = WireQuantities()
            events.append(statement(of: row.priced(by: &pricing), after: cell, observed: observed))
        }
        return events + announcements(of: unpriced, state)
    }

    /// The rows with those of equal identity added, in an order that does not depend on the provider's.
    private static func statements(of observation: UsageObservation) throws(UsageRejection) -> [WireUsageRow] {
        var rows: [UsageIdentity: WireUsageRow] = [:]
        for row in observation.rows {
            guard row.provider == observation.provider, row.account == observation.account else {
                throw .foreignRow(provider: row.provider, account: row.account)
            }
            let identity = UsageIdentity(row)
            var sum = row
            if let earlier = rows[identity] {
                guard let quantities = earlier.quantities.adding(row.quantities) else { throw .outOfRange(identity) }
                sum.quantities = quantities
            } else {
                // An absent message and one of zeros are the same statement; only one of them is written.
                sum.quantities = row.quantities
            }
            // What a projection could not take in must not become an event.
            guard sum.quantities.isBelievable else { throw .outOfRange(identity) }
            rows[identity] = sum
        }
        return rows.values.sorted { $0.order < $1.order }
    }

    private static func statement(of row: WireUsageRow, after known: Cell?, observed: Int64) -> FinOpsEvent {
        guard let known else {
            return .usageRecorded(
                .with {
                    $0.row = row
                    $0.observed = observed
                })
        }
        return .usageRestated(
            .with {
                $0.row = row
                $0.observed = observed
                $0.previous = known.row.quantities
                if known.row.hasCost { $0.previousCost = known.row.cost }
                $0.difference = difference(from: known.row, to: row)
                $0.previousObserved = known.observed
            })
    }

    /// New cost less the previous one, unpriced counted as 0. Costs are never negative, so it cannot overflow.
    private static func difference(from old: WireUsageRow, to new: WireUsageRow) -> WireMoney {
        Money(
            nanos: (new.hasCost ? new.cost.nanos : 0) - (old.hasCost ? old.cost.nanos : 0), currency: .usd
        ).wire
    }

    private static func announcements(of rows: [WireUsageRow], _ state: State) -> [FinOpsEvent] {
        var announced = state.unpricedModels
        return rows.compactMap { row in
            guard row.hasModel, announced.insert(row.model).inserted else { return nil }
            return .modelUnpriced(
                .with {
                    $0.provider = row.provider
                    $0.model = row.model
                    $0.account = row.account
                    $0.day = Day(utc: Timestamp(seconds: row.bucketStart)).description
                    $0.reason = row.unpricedReason
                })
        }
    }

    // MARK: Repricing

    private static func reprice(
        _ state: State, _ catalogue: PriceCatalogue, correction: String = "", reason: String = "",
        where concerns: (WireUsageRow) -> Bool
    ) -> [FinOpsEvent] {
        var pricing = UsagePricing(catalogue)
        let cells = state.cells.values.filter { concerns($0.row) }.sorted { $0.row.order < $1.row.order }
        return cells.compactMap { cell in
            let row = cell.row.priced(by: &pricing)
            guard row.hasCost, !cell.row.hasCost || row.cost != cell.row.cost else { return nil }
            return .usageRepriced(
                .with {
                    $0.row = row
                    if cell.row.hasCost { $0.previousCost = cell.row.cost }
                    $0.previousPriceVersion = cell.row.priceVersion
                    $0.difference = difference(from: cell.row, to: row)
                    $0.observed = cell.observed
                    $0.correction = correction
                    $0.reason = reason
                })
        }
    }
}

extension UsageDay {
    /// Decided events as appends: the day's own stream as it was read, the index of unpriced models besides.
    package static func appends(
        _ events: [FinOpsEvent], account: String, day: Day, expected version: StreamVersion, occurred: Timestamp,
        correlation: EventID? = nil, actor: String = ""
    ) -> [StreamAppend] {
        let stream = StreamName.usage(account: account, day: day)
        var own: [NewEvent] = []
        var others: [StreamAppend] = []
        for event in events {
            var target = stream
            if case .modelUnpriced(let model) = event {
                target = .unpriced(provider: model.provider, model: model.model)
            }
            let new = event.newEvent(in: target, occurred: occurred, correlation: correlation, actor: actor)
            if target == stream { own.append(new) } else { others.append(StreamAppend(target, [new])) }
        }
        guard !own.isEmpty else { return [] }
        return [StreamAppend(stream, expected: .exactly(version), own)] + others
    }
}

extension WireUsageRow {
    /// A total order of rows: kind, bucket, then grouping values with null last.
    fileprivate var order: RowOrder {
        func text(_ isSet: Bool, _ value: String) -> String { isSet ? "0" + value : "1" }
        return RowOrder(
            kind: kind, start: bucketStart,
            values: [
                text(hasProjectID, projectID), text(hasApiKeyID, apiKeyID), text(hasModel, model),
                text(hasBatch, batch ? "1" : "0"), text(hasServiceTier, serviceTier), text(hasSize, size),
                text(hasSource, source), text(hasVectorStoreID, vectorStoreID), text(hasContextLevel, contextLevel),
            ])
    }
}

private struct RowOrder: Comparable {
    let kind: String
    let start: Int64
    let values: [String]

    static func < (left: RowOrder, right: RowOrder) -> Bool {
        if left.start != right.start { return left.start < right.start }
        if left.kind != right.kind { return left.kind < right.kind }
        return left.values.lexicographicallyPrecedes(right.values)
    }
}
