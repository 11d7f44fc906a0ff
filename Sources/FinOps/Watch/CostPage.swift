import EventLog

/// A change of what counts: the cost of a series in an hour grew or shrank.
package struct CostChange: Hashable, Sendable {
    /// Its number in the `SeriesTable`.
    package let series: Int
    /// Unix seconds of the hour's beginning.
    package let hour: Int64
    package let nanos: Int64

    package init(series: Int, hour: Int64, nanos: Int64) {
        self.series = series
        self.hour = hour
        self.nanos = nanos
    }
}

/// The costs of all accounts on one UTC day, hour by hour, as far as they count: metered, and billed where a bill is in
/// force. A fold over the streams `usage-…` and `allocation-…` of that day.
///
/// Amounts in another currency than the watched one are counted in `foreign` and not added.
package struct CostPage: Sendable {
    package let day: Day
    package let currency: Currency
    /// Events in other currencies.
    package private(set) var foreign = 0
    /// Unix seconds: usage of this day is known up to here.
    package private(set) var usageThrough: Int64 = .min

    private var metered = HourTable()
    private var billed = HourTable()
    private var forced: Set<ForceScope> = []
    private var allocations: [AllocatedRow: [CostChange]] = [:]

    package init(day: Day, currency: Currency) {
        self.day = day
        self.currency = currency
    }

    private struct AllocatedRow: Hashable {
        var scope: ForceScope
        var lineItem: String?
        var key: String?
    }

    /// - Returns: what changed of what counts; none for events of other kinds.
    package mutating func apply(_ event: FinOpsEvent, _ table: inout SeriesTable) -> [CostChange] {
        switch event {
        case .usageRecorded(let event):
            return usage(event.row, nanos: event.row.hasCost ? event.row.cost.nanos : 0, &table)
        case .usageRestated(let event): return usage(event.row, nanos: event.difference.nanos, &table)
        case .usageRepriced(let event): return usage(event.row, nanos: event.difference.nanos, &table)
        case .billAllocated(let event): return allocate(event, &table)
        case .billTookForce(let event):
            return setForce(true, event.provider, event.account, event.hasProjectID ? event.projectID : nil, table)
        case .billLeftForce(let event):
            return setForce(false, event.provider, event.account, event.hasProjectID ? event.projectID : nil, table)
        default: return []
        }
    }

    /// Everything that counts on this day.
    package func effective(_ table: SeriesTable) -> [CostChange] { counted(table).map(\.cell) }

    /// Everything that counts on this day, and which of it is billed.
    func counted(_ table: SeriesTable) -> [(cell: CostChange, isBilled: Bool)] {
        let metered = metered.cells(day).filter { !forced.contains(table.all[$0.series].scope) }
        let billed = billed.cells(day).filter { forced.contains(table.all[$0.series].scope) }
        return metered.map { ($0, false) } + billed.map { ($0, true) }
    }

    private mutating func usage(_ row: WireUsageRow, nanos: Int64, _ table: inout SeriesTable) -> [CostChange] {
        usageThrough = max(usageThrough, row.bucketEnd)
        guard nanos != 0 else { return [] }
        guard row.cost.currency.isEmpty || row.cost.currency == currency.code else {
            foreign += 1
            return []
        }
        let series = table.number(of: CostSeries(row))
        let change = CostChange(series: series, hour: row.bucketStart - row.bucketStart % 3_600, nanos: nanos)
        metered.add(change, day)
        return forced.isEmpty || !forced.contains(table.all[series].scope) ? [change] : []
    }

    private mutating func allocate(_ event: WireBillAllocated, _ table: inout SeriesTable) -> [CostChange] {
        guard event.amount.currency == currency.code else {
            foreign += 1
            return []
        }
        let scope = ForceScope(
            provider: event.provider, account: event.account,
            providerProject: event.hasProjectID ? event.projectID : nil)
        let row = AllocatedRow(
            scope: scope, lineItem: event.hasLineItem ? event.lineItem : nil,
            key: event.hasApiKeyID ? event.apiKeyID : nil)
        let withdrawn = (allocations[row] ?? []).map { CostChange(series: $0.series, hour: $0.hour, nanos: -$0.nanos) }
        let stated = event.parts.map { part in
            CostChange(series: table.number(of: CostSeries(event, part)), hour: part.hour, nanos: part.nanos)
        }
        allocations[row] = stated
        for change in withdrawn + stated { billed.add(change, day) }
        return forced.contains(scope) ? withdrawn + stated : []
    }

    private mutating func setForce(
        _ inForce: Bool, _ provider: String, _ account: String, _ providerProject: String?, _ table: SeriesTable
    ) -> [CostChange] {
        let scope = ForceScope(provider: provider, account: account, providerProject: providerProject)
        guard forced.contains(scope) != inForce else { return [] }
        if inForce { forced.insert(scope) } else { forced.remove(scope) }
        func cells(_ hours: HourTable, sign: Int64) -> [CostChange] {
            hours.cells(day).filter { table.all[$0.series].scope == scope }
                .map { CostChange(series: $0.series, hour: $0.hour, nanos: sign * $0.nanos) }
        }
        return cells(metered, sign: inForce ? -1 : 1) + cells(billed, sign: inForce ? 1 : -1)
    }
}

/// Amounts per series and hour of one day.
private struct HourTable: Sendable {
    private static let hours = 24
    private var rows: [Int: Int] = [:]
    private var series: [Int] = []
    private var nanos: [Int64] = []

    /// What lies outside the day (a part of a bill whose hour no writer of ours makes) counts at the day's nearest hour, so
    /// that sums stay whole.
    mutating func add(_ change: CostChange, _ day: Day) {
        let hour = min(max((change.hour - day.utcStart.seconds) / 3_600, 0), Int64(Self.hours - 1))
        let row: Int
        if let known = rows[change.series] {
            row = known
        } else {
            row = series.count
            rows[change.series] = row
            series.append(change.series)
            nanos.append(contentsOf: repeatElement(0, count: Self.hours))
        }
        nanos[row * Self.hours + Int(hour)] += change.nanos
    }

    func cells(_ day: Day) -> [CostChange] {
        var cells: [CostChange] = []
        for (row, series) in series.enumerated() {
            for hour in 0..<Self.hours {
                let amount = nanos[row * Self.hours + hour]
                guard amount != 0 else { continue }
                cells.append(
                    CostChange(series: series, hour: day.utcStart.seconds + Int64(hour) * 3_600, nanos: amount))
            }
        }
        return cells
    }
}
