package import EventLog
import SwiftProtobuf

/// The provider's bill of one account for one UTC day. The stream is `bill-<account>-<day>`; every event carries the whole
/// current row.
package enum BillDay: Decider {
    /// A row as it stands.
    package struct Cell: Hashable, Sendable {
        /// A row that a later walk no longer had is marked as withdrawn.
        package var row: WireBillRow
        /// Unix seconds of the fetch that said so.
        package var observed: Int64
    }

    /// Every row ever stated, withdrawn ones included.
    package typealias State = [BillIdentity: Cell]

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .billRecorded(let recorded):
            state[BillIdentity(recorded.row)] = Cell(row: recorded.row, observed: recorded.observed)
        case .billRestated(let restated):
            state[BillIdentity(restated.row)] = Cell(row: restated.row, observed: restated.observed)
        default: break
        }
    }

    /// - Throws: `BillRejection` for an amount that is no decimal, is out of range, or has no currency, and for rows of one
    ///   identity in two currencies. Nothing of the day is taken then.
    package static func decide(_ observation: BillObservation, _ state: State) throws(BillRejection) -> [FinOpsEvent] {
        let observed = observation.observed.seconds
        let rows = try rows(of: observation)
        var events: [FinOpsEvent] = []
        for (identity, row) in rows.sorted(by: { $0.key < $1.key }) {
            let known = state[identity]
            if let known, known.row.saysTheSame(as: row) { continue }
            events.append(statement(of: row, after: known, observed: observed))
        }
        for (identity, cell) in state.sorted(by: { $0.key < $1.key })
        where rows[identity] == nil && !cell.row.withdrawn
            && observation.covered.contains(Day(utc: Timestamp(seconds: identity.bucketStart)))
        {
            var row = cell.row
            row.withdrawn = true
            row.amount.nanos = 0
            row.amountTexts = []
            row.clearQuantityText()
            events.append(statement(of: row, after: cell, observed: observed))
        }
        return events
    }

    /// Rows with those of equal identity added; each amount is rounded half-even once.
    private static func rows(of observation: BillObservation) throws(BillRejection) -> [BillIdentity: WireBillRow] {
        var rows: [BillIdentity: WireBillRow] = [:]
        for statement in observation.rows {
            let identity = BillIdentity(statement)
            let row = try row(of: statement, observation)
            guard let earlier = rows[identity] else {
                rows[identity] = row
                continue
            }
            rows[identity] = try sum(earlier, row, statement)
        }
        return rows
    }

    private static func row(of statement: BillLine, _ observation: BillObservation) throws(BillRejection)
        -> WireBillRow
    {
        func rejected(_ field: String, _ reason: String) -> BillRejection {
            BillRejection(field: field, row: statement, reason: reason)
        }
        guard let currency = Currency(statement.currency) else {
            throw rejected("amount.currency", "is \"\(statement.currency.prefix(40))\", not three letters")
        }
        let amount: DecimalText
        do { amount = try DecimalText(roundable: statement.amountText) } catch {
            throw rejected("amount.value", "is \"\(statement.amountText.prefix(80))\", not a decimal we can hold")
        }
        guard let nanos = amount.nanos else {
            throw rejected("amount.value", "is \"\(statement.amountText.prefix(80))\", beyond 9.2 × 10⁹")
        }
        return WireBillRow.with {
            $0.provider = observation.provider
            $0.account = observation.account
            $0.bucketStart = statement.bucketStart
            $0.bucketEnd = statement.bucketEnd
            if let projectID = statement.projectID { $0.projectID = projectID }
            if let lineItem = statement.lineItem { $0.lineItem = lineItem }
            if let apiKeyID = statement.apiKeyID { $0.apiKeyID = apiKeyID }
            $0.amount = Money(nanos: nanos, currency: currency).wire
            $0.amountTexts = [statement.amountText]
            if let quantityText = statement.quantityText { $0.quantityText = quantityText }
            if let quantityUnit = statement.quantityUnit { $0.quantityUnit = quantityUnit }
        }
    }

    private static func sum(_ earlier: WireBillRow, _ later: WireBillRow, _ statement: BillLine)
        throws(BillRejection) -> WireBillRow
    {
        guard earlier.amount.currency == later.amount.currency else {
            throw BillRejection(
                field: "amount.currency", row: statement,
                reason: "is \(later.amount.currency), but a row of the same identity has \(earlier.amount.currency)")
        }
        let (nanos, overflow) = earlier.amount.nanos.addingReportingOverflow(later.amount.nanos)
        guard !overflow else {
            throw BillRejection(
                field: "amount.value", row: statement, reason: "and its equals add up beyond 9.2 × 10⁹")
        }
        var sum = earlier
        sum.amount.nanos = nanos
        sum.amountTexts = (earlier.amountTexts + later.amountTexts).sorted()
        // Quantities of several rows have no text of the provider's own any more.
        sum.clearQuantityText()
        if earlier.quantityUnit != later.quantityUnit { sum.clearQuantityUnit() }
        return sum
    }

    private static func statement(of row: WireBillRow, after known: Cell?, observed: Int64) -> FinOpsEvent {
        guard let known else {
            return .billRecorded(
                .with {
                    $0.row = row
                    $0.observed = observed
                })
        }
        return .billRestated(
            .with {
                $0.row = row
                $0.observed = observed
                $0.previous = known.row.amount
                $0.difference = difference(from: known.row.amount, to: row.amount)
                $0.previousObserved = known.observed
            })
    }

    /// New amount less the previous one. Amounts of two currencies have no difference: then it is the new amount whole, and
    /// the previous one is no longer there in its own currency. A difference beyond `Int64` is cut to its end: the
    /// amounts themselves are beside it, and sums are made of those.
    private static func difference(from old: WireMoney, to new: WireMoney) -> WireMoney {
        guard old.currency == new.currency else { return new }
        let exact = Int128(new.nanos) - Int128(old.nanos)
        return WireMoney.with {
            $0.nanos = Int64(clamping: exact)
            $0.currency = new.currency
        }
    }
}

extension BillDay {
    /// Decided events as an append to the day's stream as it was read; none for none.
    package static func appends(
        _ events: [FinOpsEvent], account: String, day: Day, expected version: StreamVersion, occurred: Timestamp,
        correlation: EventID? = nil, actor: String = ""
    ) -> [StreamAppend] {
        guard !events.isEmpty else { return [] }
        let stream = StreamName.bill(account: account, day: day)
        let new = events.map {
            $0.newEvent(in: stream, occurred: occurred, correlation: correlation, actor: actor)
        }
        return [StreamAppend(stream, expected: .exactly(version), new)]
    }
}

extension WireBillRow {
    /// Whether two statements agree, however their numbers are written: `0.1275` is `0.12750`.
    fileprivate func saysTheSame(as row: WireBillRow) -> Bool {
        amount == row.amount && withdrawn == row.withdrawn && bucketEnd == row.bucketEnd
            && Set(amountTexts.map(Self.number)) == Set(row.amountTexts.map(Self.number))
            && (hasQuantityText ? Self.number(quantityText) : nil)
                == (row.hasQuantityText ? Self.number(row.quantityText) : nil)
            && (hasQuantityUnit ? quantityUnit : nil) == (row.hasQuantityUnit ? row.quantityUnit : nil)
    }

    private enum Number: Hashable {
        case decimal(DecimalText)
        case text(String)
    }

    /// A text that is no decimal is compared as it is.
    private static func number(_ text: String) -> Number {
        do throws(DecimalText.Malformed) { return .decimal(try DecimalText(text)) } catch { return .text(text) }
    }
}
