import EventLog

/// The costs of all accounts on one UTC day, hour by hour, as far as they count: of the same consumption the bill where it is
/// in force, else what was metered, else what calls through a gateway are estimated to cost (decision 16). A fold over the
/// streams `usage-…`, `allocation-…` and `calls-…` of that day. Amounts in another currency are not added.
struct CostPage: Sendable {
    let day: Day
    let currency: Currency
    /// Unix seconds: usage of this day is known up to here; nil while nothing is.
    private(set) var usageThrough: Int64?

    /// As it was said, by whoever said it.
    var stated: HourTable
    /// What hours in which calls meet usage or bills take from one series and give to another.
    var moved: HourTable
    var moves: [ContestedHour: [CostChange]] = [:]
    var contested: Set<ContestedHour> = []
    /// What calls estimate, by the number of their series and the hour of the day.
    var estimates: [Int: [CallEstimate]] = [:]
    private var forced: Set<ForceScope> = []
    /// How many scopes of an account have a bill in force.
    private var forcedAccounts: [ForceScope: Int] = [:]
    private var allocations: [AllocatedRow: [CostChange]] = [:]

    init(day: Day, currency: Currency) {
        self.day = day
        self.currency = currency
        stated = HourTable(day: day)
        moved = HourTable(day: day)
    }

    private struct AllocatedRow: Hashable {
        var scope: ForceScope
        var lineItem: String?
        var key: String?
    }

    /// The costs of one series that count on this day.
    struct Row {
        let series: Int
        /// By the hour of the UTC day.
        let nanos: ArraySlice<Int64>
    }

    /// Everything that counts on this day.
    func rows(_ table: SeriesTable) -> [Row] {
        let stated = stated.series.filter { counts($0, table) }.map { series in
            guard moved.contains(series) else { return Row(series: series, nanos: self.stated.amounts(of: series)) }
            return Row(series: series, nanos: amounts(of: series))
        }
        return stated
            + moved.series.filter { !self.stated.contains($0) && counts($0, table) }.map { series in
                Row(series: series, nanos: moved.amounts(of: series))
            }
    }

    private func amounts(of series: Int) -> ArraySlice<Int64> {
        (0..<HourTable.hours).map { hour in
            stated.amount(of: series, hour: hour) &+ moved.amount(of: series, hour: hour)
        }[...]
    }

    /// Whether a series counts on this day: its bill is in force, or no other is. A call whose upstream names no project of
    /// the provider is on its account's bill, whichever project that names.
    func counts(_ number: Int, _ table: SeriesTable) -> Bool {
        let basis = table.all[number].basis
        if forced.isEmpty { return basis != .billed }
        let scope = table.all[number].scope
        switch basis {
        case .metered: return !forced.contains(scope)
        case .billed: return forced.contains(scope)
        case .estimated where scope.providerProject == nil: return forcedAccounts[scope] == nil
        case .estimated: return !forced.contains(scope)
        }
    }

    // MARK: Folding

    /// - Returns: what changed of what counts, until `settle` says what became of contested hours; none for events of other
    ///   kinds.
    mutating func apply(_ event: FinOpsEvent, _ table: inout SeriesTable) -> [CostChange] {
        switch event {
        case .usageRecorded(let event): return usage(event.row, event.row.cost, observed: event.observed, &table)
        case .usageRestated(let event): return usage(event.row, event.difference, observed: event.observed, &table)
        case .usageRepriced(let event): return usage(event.row, event.difference, observed: event.observed, &table)
        case .callRecorded(let event):
            let call = CallEstimate(event, in: currency)
            return add(call, series: table.number(of: CostSeries(event)), table).map { [$0] } ?? []
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
        let nanos = difference.currency == currency.code ? difference.nanos : 0
        let series = table.number(of: CostSeries(row))
        return add(nanos, series: series, at: row.bucketStart, isSomething: !row.quantities.isZero, table).map { [$0] }
            ?? []
    }

    /// Of an hour that is not over yet, no more is known than up to the moment it was asked for.
    mutating func see(_ start: Int64, _ end: Int64, observed: Int64) {
        usageThrough = max(usageThrough ?? .min, min(end, max(observed, start)))
    }

    /// Adds metered cost.
    /// - Parameter isSomething: whether anything was metered: what the provider takes back leaves a row of zeros.
    /// - Returns: nil if it does not count.
    mutating func add(
        _ nanos: Int64, series: Int, at second: Int64, isSomething: Bool, _ table: SeriesTable
    ) -> CostChange? {
        let change = stated.add(nanos, series: series, at: second, isMarked: isSomething)
        contest(series, at: second, table)
        return nanos != 0 && counts(series, table) ? change : nil
    }

    /// Adds what a call is estimated to cost.
    /// - Returns: nil if it does not count.
    mutating func add(_ call: CallEstimate, series: Int, _ table: SeriesTable) -> CostChange? {
        let hour = stated.hour(of: call.started)
        see(stated.second(of: hour), stated.second(of: hour) + 3_600, observed: call.ended)
        estimates[series, default: Array(repeating: CallEstimate(), count: HourTable.hours)][hour].add(call)
        let change = stated.add(call.nanos, series: series, at: call.started, isMarked: true)
        contest(series, at: call.started, table)
        return call.nanos != 0 && counts(series, table) ? change : nil
    }

    private mutating func allocate(_ event: WireBillAllocated, _ table: inout SeriesTable) -> [CostChange] {
        let scope = ForceScope(
            provider: event.provider, account: event.account,
            providerProject: event.hasProjectID ? event.projectID : nil)
        let row = AllocatedRow(
            scope: scope, lineItem: event.hasLineItem ? event.lineItem : nil,
            key: event.hasApiKeyID ? event.apiKeyID : nil)
        let withdrawn = (allocations[row] ?? []).map { stated.add(0 &- $0.nanos, series: $0.series, at: $0.hour) }
        let parts = event.amount.currency == currency.code ? event.parts : []
        let made = parts.map { part in
            stated.add(part.nanos, series: table.number(of: CostSeries(event, part)), at: part.hour)
        }
        allocations[row] = made
        for change in withdrawn + made { contest(change.series, at: change.hour, table) }
        return forced.contains(scope) ? withdrawn + made : []
    }

    private mutating func setForce(_ inForce: Bool, _ scope: ForceScope, _ table: SeriesTable) -> [CostChange] {
        guard forced.contains(scope) != inForce else { return [] }
        let concerned = (stated.series + moved.series.filter { !stated.contains($0) }).filter { number in
            table.all[number].account == scope.account && table.all[number].provider == scope.provider
        }
        let before = concerned.map { counts($0, table) }
        if inForce { forced.insert(scope) } else { forced.remove(scope) }
        let account = ForceScope(provider: scope.provider, account: scope.account)
        let scopes = (forcedAccounts[account] ?? 0) + (inForce ? 1 : -1)
        forcedAccounts[account] = scopes == 0 ? nil : scopes
        return zip(concerned, before).filter { counts($0, table) != $1 }.flatMap { series, didCount in
            zip(0..., amounts(of: series)).filter { $0.1 != 0 }.map { hour, nanos in
                CostChange(series: series, hour: stated.second(of: hour), nanos: didCount ? 0 &- nanos : nanos)
            }
        }
    }
}
