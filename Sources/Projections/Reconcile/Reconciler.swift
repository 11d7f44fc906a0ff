package import FinOps
import EventLog

/// Holds the three statements about UTC days against each other: reads the cells, finds what belongs together, compares.
struct Reconciler {
    /// A key and model of an account. Calls that name no key of the provider share theirs with usage of any key that no
    /// other calls name.
    private struct Subject: Hashable {
        var account: Int64
        var key: String?
        var model: Int64
    }

    private struct AccountDay: Hashable {
        var account: Int64
        var day: Int64
    }

    private struct Sides {
        var estimated: ReconciledSide?
        var metered: ReconciledSide?
        var billed: ReconciledSide?
        /// Its part of what the bill says of no key or model.
        var spread = Int128(0)
    }

    /// A part of the bill that names no key, or no model, or neither.
    private struct Pool: Hashable {
        var account: Int64
        var key: String?
        var model: Int64
    }

    private let connection: OpaquePointer
    private let lookup: DimensionLookup
    private let series: [DimensionLookup.Series]
    private let labels: [String: Int64]
    private let pricing: UsagePricing
    private let query: CostQuery
    private var days: [Int64: [Subject: Sides]] = [:]
    private var pools: [Int64: [Pool: MixedAmount]] = [:]
    private var meteredDays: Set<AccountDay> = []
    private var billedDays: Set<AccountDay> = []

    /// - Parameters:
    ///   - query: its currency is US dollars, which price lists are in; its days are UTC's.
    ///   - catalogue: by which quantities are priced again.
    init(_ connection: OpaquePointer, _ query: CostQuery, _ catalogue: PriceCatalogue) throws {
        self.connection = connection
        self.query = query
        pricing = UsagePricing(catalogue)
        lookup = try DimensionLookup(connection)
        series = try lookup.allSeries()
        labels = Dictionary(
            try Statement(connection, "SELECT text, id FROM label").rows([], { ($0.text(0), $0.integer(1)) }),
            uniquingKeysWith: { first, _ in first })
    }

    mutating func reconciliation() throws -> Reconciliation {
        // The neighbours are read too: what moved over midnight is in one of them.
        var (first, last) = (Int64(query.from.number) - 1, Int64(query.through.number) + 1)
        try read(first * 86_400..<(last + 1) * 86_400)
        try spreadPools()
        // Of centuries that are asked for, only the days that something is known of.
        guard let earliest = days.keys.min(), let latest = days.keys.max() else { return Reconciliation(days: []) }
        (first, last) = (max(first, earliest - 1), min(last, latest + 1))
        var answer: [ReconciledDay] = []
        let subjects = Set(days.values.flatMap(\.keys))
        for subject in subjects {
            var compared: [Int64: UsageComparison] = [:]
            for day in first...last { compared[day] = try comparison(subject, day) }
            for day in first..<last {
                guard var here = compared[day], var next = compared[day + 1] else { continue }
                UsageComparison.takeBoundary(&here, &next)
                (compared[day], compared[day + 1]) = (here, next)
            }
            for day in first + 1..<last {
                guard let sides = days[day]?[subject] else { continue }
                answer.append(try reconciled(subject, day, sides, compared[day]))
            }
        }
        return Reconciliation(days: answer.sorted(by: Self.precedes))
    }

    // MARK: Reading

    private mutating func read(_ span: Range<Int64>) throws {
        let known = try keysThatCallsName(span)
        let statement = try Statement(
            connection,
            """
            SELECT \(Cell.columns.split(separator: ", ").map { "c.\($0)" }.joined(separator: ", ")),
            \(CellTable.detailColumns.map { "d.\($0)" }.joined(separator: ", "))
            FROM cell c LEFT JOIN cell_detail d ON d.id = c.id WHERE c.id >= ? AND c.id < ?
            """)
        statement.bind(all: Self.range(span))
        while try statement.step() {
            let cell = Cell(row: statement)
            let series = try series(of: cell)
            try take(cell, WireQuantities(cell, detailOf: statement, from: 10), series, known)
        }
    }

    private static func range(_ span: Range<Int64>) -> [SQLValue] {
        [span.lowerBound, span.upperBound].map { .integer(CellID.make(bucket: max(0, $0), series: 0)) }
    }

    private func series(of cell: Cell) throws(ProjectionFailure) -> DimensionLookup.Series {
        // Numbers of series are their places, from 1.
        let number = Int(CellID.series(cell.id))
        guard series.indices.contains(number - 1) else {
            throw ProjectionFailure(
                code: "projection-damaged", message: "series \(number) is missing; `projector rebuild` makes new ones")
        }
        return series[number - 1]
    }

    /// By account and model, those of calls in the span; nil is among them where calls named none.
    private func keysThatCallsName(_ span: Range<Int64>) throws -> [Pool: Set<String?>] {
        var keys: [Pool: Set<String?>] = [:]
        for number in try Statement(
            connection, "SELECT DISTINCT id & ? FROM cell WHERE id >= ? AND id < ?"
        ).rows([.integer(CellID.seriesMask)] + Self.range(span), { Int($0.integer(0)) }) {
            guard series.indices.contains(number - 1), series[number - 1].key.basis == .estimated else { continue }
            let call = series[number - 1]
            keys[Pool(account: call.accountID, key: nil, model: model(of: call)), default: []]
                .insert(call.key.providerKey)
        }
        return keys
    }

    private func model(of series: DimensionLookup.Series) -> Int64 { series.key.model.flatMap { labels[$0] } ?? 0 }

    private mutating func take(
        _ cell: Cell, _ quantities: WireQuantities, _ series: DimensionLookup.Series, _ known: [Pool: Set<String?>]
    ) throws {
        let day = CellID.bucket(cell.id) / 86_400
        let model = model(of: series)
        let named = known[Pool(account: series.accountID, key: nil, model: model)] ?? []
        var key = series.key.basis == .estimated ? series.key.providerKey : series.key.apiKey
        if named.contains(nil), !named.contains(key) { key = nil }
        let currency = try currency(of: cell)
        switch series.key.basis {
        case .billed:
            billedDays.insert(AccountDay(account: series.accountID, day: day))
            guard series.key.apiKey != nil, model != 0 else {
                let pool = Pool(account: series.accountID, key: series.key.apiKey, model: model)
                pools[day, default: [:]][pool, default: MixedAmount()].add(
                    Int128(cell.cost ?? 0), currency: currency, day: Day(number: Int(day)), query)
                return
            }
        case .metered:
            meteredDays.insert(AccountDay(account: series.accountID, day: day))
        case .estimated: break
        }
        let side: WritableKeyPath<Sides, ReconciledSide?> =
            switch series.key.basis {
            case .estimated: \.estimated
            case .metered: \.metered
            case .billed: \.billed
            }
        let subject = Subject(account: series.accountID, key: key, model: model)
        var sides = days[day]?[subject] ?? Sides()
        var statement = sides[keyPath: side] ?? ReconciledSide()
        statement.add(cell, quantities, series.key)
        statement.amount.add(Int128(cell.cost ?? 0), currency: currency, day: Day(number: Int(day)), query)
        sides[keyPath: side] = statement
        days[day, default: [:]][subject] = sides
    }

    private func currency(of cell: Cell) throws -> String? {
        try lookup.label(try lookup.terms(cell.terms).currency)
    }

    // MARK: Comparing

    /// What a bill says of no key or model is spread over the usage that it can be about, by metered cost.
    private mutating func spreadPools() throws {
        for (day, pools) in pools {
            for (pool, amount) in pools {
                let sum = try amount.cost()
                var fitting: [(subject: Subject, weight: Int128)] = []
                for (subject, sides) in days[day] ?? [:] {
                    guard let metered = sides.metered, subject.account == pool.account,
                        pool.key == nil || pool.key == subject.key, pool.model == 0 || pool.model == subject.model,
                        case let weight = try metered.amount.cost(), weight > 0
                    else { continue }
                    fitting.append((subject, weight))
                }
                fitting.sort { Self.precedes($0.subject, $1.subject) }
                guard !fitting.isEmpty, let whole = Int64(exactly: sum) else {
                    let subject = Subject(account: pool.account, key: pool.key, model: pool.model)
                    days[day, default: [:]][subject, default: Sides()].spread += sum
                    continue
                }
                for (entry, part) in zip(fitting, LargestRemainder.split(whole, by: fitting.map(\.weight))) {
                    days[day]?[entry.subject]?.spread += Int128(part)
                }
            }
        }
    }

    private static func precedes(_ left: Subject, _ right: Subject) -> Bool {
        (left.account, left.model, left.key ?? "") < (right.account, right.model, right.key ?? "")
    }

    /// nil where gateway and usage cannot be compared.
    private func comparison(_ subject: Subject, _ day: Int64) throws -> UsageComparison? {
        guard let sides = days[day]?[subject], sides.estimated != nil || sides.metered != nil,
            meteredDays.contains(AccountDay(account: subject.account, day: day))
        else { return nil }
        let (estimated, metered) = (sides.estimated ?? ReconciledSide(), sides.metered ?? ReconciledSide())
        guard estimated.amount.unconverted.isEmpty, metered.amount.unconverted.isEmpty else { return nil }
        let account = try lookup.account(subject.account)
        let valuation = Valuation(
            pricing: pricing, provider: account.provider, model: try lookup.label(subject.model) ?? "",
            day: Day(number: Int(day)))
        return try UsageComparison(estimated, metered, valuation)
    }

    private func reconciled(_ subject: Subject, _ day: Int64, _ sides: Sides, _ comparison: UsageComparison?) throws
        -> ReconciledDay
    {
        let account = try lookup.account(subject.account)
        var comparison = comparison
        var reconciled = ReconciledDay(
            provider: account.provider, account: account.name, key: subject.key,
            model: try lookup.label(subject.model), day: Day(number: Int(day)),
            estimated: try sides.estimated?.amount.cost(), metered: try sides.metered?.amount.cost(), billed: nil,
            calls: sides.estimated?.requests ?? 0, requests: sides.metered?.requests ?? 0,
            toMetered: comparison?.finished(), toBilled: nil)
        guard billedDays.contains(AccountDay(account: subject.account, day: day)) else { return reconciled }
        let billed = sides.billed ?? ReconciledSide()
        reconciled.billed = try billed.amount.cost() + sides.spread
        let amounts = [billed.amount, sides.metered?.amount ?? MixedAmount()]
        // What gateways alone know of is compared with usage, which the bill follows.
        if amounts.allSatisfy({ $0.unconverted.isEmpty }), sides.metered != nil || reconciled.billed != 0 {
            reconciled.toBilled = try BillComparison.difference(sides.metered, billed, spread: sides.spread)
        }
        return reconciled
    }

    private static func precedes(_ left: ReconciledDay, _ right: ReconciledDay) -> Bool {
        func names(_ day: ReconciledDay) -> [String?] { [day.provider, day.account, day.key, day.model] }
        for (left, right) in zip(names(left), names(right)) where left != right {
            guard let left else { return false }
            return right.map { left < $0 } ?? true
        }
        return left.day < right.day
    }
}

extension WireQuantities {
    /// Of a cell and its details, which are in the order of `CellTable.detailColumns`.
    fileprivate init(_ cell: Cell, detailOf row: Statement, from column: Int32) {
        self.init()
        requests = cell.requests
        inputTokens = cell.inputTokens
        cachedInputTokens = cell.cachedInputTokens
        outputTokens = cell.outputTokens
        cacheWriteTokens = row.integer(column)
        audioInputTokens = row.integer(column + 1)
        cachedAudioInputTokens = row.integer(column + 2)
        audioOutputTokens = row.integer(column + 3)
        imageInputTokens = row.integer(column + 4)
        cachedImageInputTokens = row.integer(column + 5)
        imageOutputTokens = row.integer(column + 6)
        images = row.integer(column + 7)
        characters = row.integer(column + 8)
        seconds = row.integer(column + 9)
        usageBytes = row.integer(column + 10)
        sessions = row.integer(column + 11)
        calls = row.integer(column + 12)
        cacheWrite1HTokens = row.integer(column + 13)
        reasoningTokens = row.integer(column + 14)
    }
}

extension ProjectionReader {
    /// The three statements about UTC days (both ends inclusive) held against each other.
    /// - Parameters:
    ///   - catalogue: by which quantities are priced again.
    ///   - rates: of other currencies into US dollars; none converts nothing, and such amounts are not compared.
    /// - Throws: `ProjectionFailure`.
    package func reconciliation(
        from: Day, through: Day, _ catalogue: PriceCatalogue, rates: ExchangeRates = ExchangeRates()
    ) throws -> Reconciliation {
        var query = CostQuery(by: [], from: from, through: through)
        query.rates = rates
        return try read { connection in
            var reconciler = try Reconciler(connection, query, catalogue)
            return try reconciler.reconciliation()
        }
    }
}
