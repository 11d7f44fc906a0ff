import EventLog
import FinOps

/// Works out an answer from the coarsest table that knows the asked dimensions: daily totals, daily sums of series, or
/// cells where hours are asked for. SQLite groups by numbers; texts are looked up once for each number.
struct CostAnswer {
    let connection: OpaquePointer
    let query: CostQuery
    let calendar: BusinessCalendar
    private let lookup: DimensionLookup
    private var groups: [[String?]: CostSums] = [:]
    private var answer = CostReport()

    init(_ connection: OpaquePointer, _ query: CostQuery, _ calendar: BusinessCalendar) throws {
        self.connection = connection
        self.query = query
        self.calendar = calendar
        lookup = try DimensionLookup(connection)
    }

    /// The sums of one row of a table, and what it is about.
    struct Source {
        var series: DimensionLookup.Series?
        var account: DimensionLookup.Account
        var model: String?
        var owner: DimensionLookup.Owner
        var attribution: AttributionTimeline.Span?
        var day: Int64?
        var bucket: Int64?
        var basis: CostBasis
        var inForce: Bool
        var currency: String?
        var sums: RollupSums
    }

    mutating func report() throws -> CostReport {
        let used = Set(query.by).union(query.filters.keys)
        if used.contains(.hour) {
            try addCells()
        } else if used.allSatisfy(\.isInTotals) {
            try addTotals()
        } else {
            try addSeries()
        }
        answer.rows = groups.filter { !$0.value.isZero }
            .map { CostReport.Row(dimensions: $0.key, sums: $0.value) }
            .sorted { Self.precedes($0.dimensions, $1.dimensions) }
        answer.daysAreApproximate = calendar.offsetSeconds(at: calendar.start(of: query.from)) % 3_600 != 0
        return answer
    }

    /// In order, null last.
    private static func precedes(_ left: [String?], _ right: [String?]) -> Bool {
        for (left, right) in zip(left, right) where left != right {
            guard let left else { return false }
            guard let right else { return true }
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        return false
    }

    private mutating func addTotals() throws {
        let byDay = query.by.contains(where: \.isTime)
        let sums = RollupSums.columns.map { "sum(\($0))" }.joined(separator: ", ")
        let day = byDay ? "day" : "NULL"
        let statement = try Statement(
            connection,
            """
            SELECT \(day), owner, account, model, basis, in_force, currency, \(sums) FROM daily_total
            WHERE day BETWEEN ? AND ? GROUP BY owner, account, model, basis, in_force, currency\(byDay ? ", day" : "")
            """)
        statement.bind(all: [SQLValue(query.from.number), SQLValue(query.through.number)])
        while try statement.step() {
            add(
                Source(
                    account: try lookup.account(statement.integer(2)), model: try lookup.label(statement.integer(3)),
                    owner: try lookup.owner(statement.integer(1)), day: statement.optionalInteger(0),
                    basis: CostBasis(rawValue: statement.integer(4)) ?? .metered, inForce: statement.integer(5) != 0,
                    currency: try lookup.label(statement.integer(6)), sums: RollupSums(row: statement, from: 7)))
        }
    }

    private mutating func addSeries() throws {
        let byDay = query.by.contains(where: \.isTime)
        let sums = RollupSums.columns.map { "sum(\($0))" }.joined(separator: ", ")
        let statement = try Statement(
            connection,
            """
            SELECT \(byDay ? "day" : "NULL"), owner, in_force, currency, \(sums) FROM daily
            WHERE series = ? AND day BETWEEN ? AND ? GROUP BY owner, in_force, currency\(byDay ? ", day" : "")
            """)
        for series in try lookup.allSeries() where admits(series) {
            statement.bind(all: [.integer(series.id), SQLValue(query.from.number), SQLValue(query.through.number)])
            while try statement.step() {
                add(
                    Source(
                        series: series, account: series.account, model: series.key.model,
                        owner: try lookup.owner(statement.integer(1)), day: statement.optionalInteger(0),
                        basis: series.key.basis, inForce: statement.integer(2) != 0,
                        currency: try lookup.label(statement.integer(3)), sums: RollupSums(row: statement, from: 4)))
            }
            statement.reset()
        }
    }

    private mutating func addCells() throws {
        var sources: [Source] = []
        try forEachCell { source, _ in
            sources.append(source)
            if sources.count == 4_096 { drain(&sources) }
        }
        drain(&sources)
    }

    private mutating func drain(_ sources: inout [Source]) {
        for source in sources { add(source) }
        sources.removeAll(keepingCapacity: true)
    }

    /// Every cell of the days asked for that the filters let through, by time.
    func forEachCell(_ body: (Source, Statement) throws -> Void) throws {
        let span = calendar.span(from: query.from, through: query.through)
        let statement = try Statement(
            connection,
            """
            SELECT id, day, requests, input_tokens, cached_input_tokens, output_tokens, cost, currency, price_version,
            flags, position FROM cell WHERE id >= ? AND id < ?
            """)
        let series = Dictionary(uniqueKeysWithValues: try lookup.allSeries().map { ($0.id, $0) })
        let timelines = try lookup.timelines()
        let inForce = try lookup.inForce()
        statement.bind(all: [
            .integer(CellID.make(bucket: max(0, span.lowerBound.seconds), series: 0)),
            .integer(CellID.make(bucket: max(0, span.upperBound.seconds), series: 0)),
        ])
        while try statement.step() {
            let cell = CellTable.read(statement)
            guard let series = series[CellID.series(cell.id)], admits(series) else { continue }
            let bucket = CellID.bucket(cell.id)
            let billed = inForce.contains(.init(scope: series.key.scope, utcDay: bucket / 86_400))
            let span = timelines[series.id]?.span(at: bucket)
            let source = Source(
                series: series, account: series.account, model: series.key.model,
                owner: try lookup.owner(span?.owner ?? 0), attribution: span, day: cell.day, bucket: bucket,
                basis: series.key.basis, inForce: billed == (series.key.basis == .billed),
                currency: try lookup.label(cell.currency), sums: cell.sums(basis: series.key.basis))
            if admits(source) { try body(source, statement) }
        }
    }

    /// - Parameter row: the cell's row of `forEachCell`.
    func evidence(_ source: Source, _ row: Statement) throws -> CostEvidence {
        let types = ["usage.recorded", "usage.restated", "usage.repriced", "bill.allocated"]
        return CostEvidence(
            position: UInt64(clamping: row.integer(10)), type: types[Int(row.integer(9) & 3)],
            bucketStart: Timestamp(seconds: source.bucket ?? 0), basis: source.basis, provider: source.account.provider,
            account: source.account.name, service: source.series?.key.kind,
            providerProject: source.series?.providerProject, key: source.series?.key.apiKey, model: source.model,
            team: source.owner.team, project: source.owner.project, cost: row.optionalInteger(6),
            currency: source.currency, inputTokens: source.sums.inputTokens, outputTokens: source.sums.outputTokens,
            requests: source.sums.requests, priceVersion: try lookup.label(row.integer(8)),
            rule: source.attribution?.rule, ruleVersion: source.attribution?.version)
    }

    /// Whether the basis asked for counts its cost.
    func counts(_ source: Source) -> Bool {
        query.basis == .best ? source.inForce : source.basis.name == query.basis.rawValue
    }

    private mutating func add(_ source: Source) {
        guard admits(source) else { return }
        let counts = counts(source)
        var sums = CostSums()
        if counts { addCost(source, to: &sums) }
        if source.basis == .metered {
            sums.inputTokens = Int128(source.sums.inputTokens)
            sums.cachedInputTokens = Int128(source.sums.cachedInputTokens)
            sums.outputTokens = Int128(source.sums.outputTokens)
            sums.requests = Int128(source.sums.requests)
            if counts { addUnpriced(source.sums) }
        }
        answer.total += sums
        groups[query.by.map { value(of: $0, source) }, default: CostSums()] += sums
    }

    private mutating func addCost(_ source: Source, to sums: inout CostSums) {
        let amount = source.sums.amount
        if source.currency == query.currency || amount == 0 {
            sums.cost = amount
        } else {
            answer.unconverted[source.currency ?? "?", default: 0] += amount
        }
    }

    private mutating func addUnpriced(_ sums: RollupSums) {
        answer.unpriced.rows += Int128(sums.unpricedRows)
        answer.unpriced.inputTokens += Int128(sums.unpricedInputTokens)
        answer.unpriced.outputTokens += Int128(sums.unpricedOutputTokens)
        answer.unpriced.requests += Int128(sums.unpricedRequests)
    }

    // MARK: Dimensions

    private func admits(_ series: DimensionLookup.Series) -> Bool {
        query.filters.allSatisfy { dimension, wanted in
            [.team, .project].contains(dimension) || matches(Self.value(of: dimension, series), wanted)
        }
    }

    private func admits(_ source: Source) -> Bool {
        query.filters.allSatisfy { dimension, wanted in matches(value(of: dimension, source), wanted) }
    }

    private func matches(_ value: String?, _ wanted: String) -> Bool {
        value == wanted || (value == nil && wanted == CostQuery.none)
    }

    private static func value(of dimension: CostDimension, _ series: DimensionLookup.Series) -> String? {
        switch dimension {
        case .provider: series.account.provider
        case .account: series.account.name
        case .service: series.key.kind
        case .key: series.key.apiKey
        case .model: series.key.model
        case .tier: series.key.serviceTier
        case .batch: series.key.batch.map { $0 ? "true" : "false" }
        case .providerProject: series.providerProject
        case .team, .project, .hour, .day, .week, .month: nil
        }
    }

    private func value(of dimension: CostDimension, _ source: Source) -> String? {
        switch dimension {
        case .team: source.owner.team
        case .project: source.owner.project
        case .provider: source.account.provider
        case .account: source.account.name
        case .model: source.model
        case .service, .key, .tier, .batch, .providerProject: source.series.flatMap { Self.value(of: dimension, $0) }
        case .hour: source.bucket.map { ZonedHour.text(of: $0, calendar) }
        case .day: source.day.map { Day(number: Int($0)).description }
        case .week: source.day.map { Day(number: Int($0)).isoWeek }
        case .month: source.day.map { Day(number: Int($0)).month }
        }
    }
}

extension CostBasis {
    /// Its name in answers and options.
    package var name: String {
        switch self {
        case .metered: "metered"
        case .billed: "billed"
        case .estimated: "estimated"
        }
    }
}
