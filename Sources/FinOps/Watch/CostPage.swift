import EventLog

/// A change of what counts: the cost of a series in an hour grew or shrank.
struct CostChange: Hashable, Sendable {
    /// Its number in the `SeriesTable`.
    let series: Int
    /// Unix seconds of the hour's beginning, within the page's day.
    let hour: Int64
    let nanos: Int64
}

/// The costs of all accounts on one UTC day, hour by hour, as far as they count: metered, and billed where a bill is in
/// force. A fold over the streams `usage-…` and `allocation-…` of that day. Amounts in another currency are not added.
struct CostPage: Sendable {
    let day: Day
    let currency: Currency
    /// Unix seconds: usage of this day is known up to here; nil while nothing is.
    private(set) var usageThrough: Int64?

    private var metered: HourTable
    private var billed: HourTable
    private var forced: Set<ForceScope> = []
    private var allocations: [AllocatedRow: [CostChange]] = [:]

    init(day: Day, currency: Currency) {
        self.day = day
        self.currency = currency
        metered = HourTable(day: day)
        billed = HourTable(day: day)
    }

    private struct AllocatedRow: Hashable {
        var scope: ForceScope
        var lineItem: String?
        var key: String?
    }

    /// The costs of one series that count on this day.
    struct Row {
        let series: Int
        let isBilled: Bool
        /// By the hour of the UTC day.
        let nanos: ArraySlice<Int64>
    }

    /// Everything that counts on this day.
    func rows(_ table: SeriesTable) -> [Row] {
        metered.rows(isBilled: false).filter { forced.isEmpty || !forced.contains(table.all[$0.series].scope) }
            + billed.rows(isBilled: true).filter { forced.contains(table.all[$0.series].scope) }
    }

    /// - Returns: what changed of what counts; none for events of other kinds.
    mutating func apply(_ event: FinOpsEvent, _ table: inout SeriesTable) -> [CostChange] {
        switch event {
        case .usageRecorded(let event): return usage(event.row, event.row.cost, observed: event.observed, &table)
        case .usageRestated(let event): return usage(event.row, event.difference, observed: event.observed, &table)
        case .usageRepriced(let event): return usage(event.row, event.difference, observed: event.observed, &table)
        case .billAllocated(let event): return allocate(event, &table)
        case .billTookForce(let event):
            return setForce(
                true,
                ForceScope(
                    provider: event.provider, account: event.account,
                    providerProject: event.hasProjectID ? event.projectID : nil), table)
        case .billLeftForce(let event):
            return setForce(
                false,
                ForceScope(
                    provider: event.provider, account: event.account,
                    providerProject: event.hasProjectID ? event.projectID : nil), table)
        default: return []
        }
    }

    private mutating func usage(
        _ row: WireUsageRow, _ difference: WireMoney, observed: Int64, _ table: inout SeriesTable
    ) -> [CostChange] {
        see(row.bucketStart, row.bucketEnd, observed: observed)
        guard difference.nanos != 0, difference.currency == currency.code else { return [] }
        let series = table.number(of: CostSeries(row))
        return add(difference.nanos, series: series, at: row.bucketStart, table).map { [$0] } ?? []
    }

    /// Of an hour that is not over yet, no more is known than up to the moment it was asked for.
    mutating func see(_ start: Int64, _ end: Int64, observed: Int64) {
        usageThrough = max(usageThrough ?? .min, min(end, max(observed, start)))
    }

    /// Adds metered cost.
    /// - Returns: nil if it does not count.
    mutating func add(_ nanos: Int64, series: Int, at second: Int64, _ table: SeriesTable) -> CostChange? {
        let change = metered.add(nanos, series: series, at: second)
        return forced.isEmpty || !forced.contains(table.all[series].scope) ? change : nil
    }

    private mutating func allocate(_ event: WireBillAllocated, _ table: inout SeriesTable) -> [CostChange] {
        let scope = ForceScope(
            provider: event.provider, account: event.account,
            providerProject: event.hasProjectID ? event.projectID : nil)
        let row = AllocatedRow(
            scope: scope, lineItem: event.hasLineItem ? event.lineItem : nil,
            key: event.hasApiKeyID ? event.apiKeyID : nil)
        let withdrawn = (allocations[row] ?? []).map { billed.add(0 &- $0.nanos, series: $0.series, at: $0.hour) }
        let parts = event.amount.currency == currency.code ? event.parts : []
        let stated = parts.map { part in
            billed.add(part.nanos, series: table.number(of: CostSeries(event, part)), at: part.hour)
        }
        allocations[row] = stated
        return forced.contains(scope) ? withdrawn + stated : []
    }

    private mutating func setForce(_ inForce: Bool, _ scope: ForceScope, _ table: SeriesTable) -> [CostChange] {
        guard forced.contains(scope) != inForce else { return [] }
        if inForce { forced.insert(scope) } else { forced.remove(scope) }
        let ours: (CostChange) -> Bool = { table.all[$0.series].scope == scope }
        let (from, to) = inForce ? (metered, billed) : (billed, metered)
        return from.cells(sign: -1).filter(ours) + to.cells(sign: 1).filter(ours)
    }
}

/// Amounts per series and hour of one day. They wrap at 2⁶³ nano-units in an hour, since nothing that a provider states may
/// end the program.
private struct HourTable: Sendable {
    private static let hours = 24
    private let dayStart: Int64
    private var places: [Int: Int] = [:]
    private var series: [Int] = []
    private var nanos: [Int64] = []

    init(day: Day) { dayStart = day.utcStart.seconds }

    /// What lies outside the day (no writer of ours makes such an hour) counts at the day's nearest hour, so that sums stay
    /// whole.
    /// - Returns: the change, at the hour it counts.
    mutating func add(_ amount: Int64, series number: Int, at second: Int64) -> CostChange {
        let hour = Int((min(max(second, dayStart), dayStart + 86_399) - dayStart) / 3_600)
        let place: Int
        if let known = places[number] {
            place = known
        } else {
            place = series.count
            places[number] = place
            series.append(number)
            nanos.append(contentsOf: repeatElement(0, count: Self.hours))
        }
        nanos[place * Self.hours + hour] &+= amount
        return CostChange(series: number, hour: dayStart + Int64(hour) * 3_600, nanos: amount)
    }

    func rows(isBilled: Bool) -> [CostPage.Row] {
        series.enumerated().map { place, series in
            let first = place * Self.hours
            return CostPage.Row(series: series, isBilled: isBilled, nanos: nanos[first..<first + Self.hours])
        }
    }

    func cells(sign: Int64) -> [CostChange] {
        rows(isBilled: false).flatMap { row in
            zip(0..., row.nanos).filter { $0.1 != 0 }.map { hour, nanos in
                CostChange(series: row.series, hour: dayStart + hour * 3_600, nanos: nanos &* sign)
            }
        }
    }
}
