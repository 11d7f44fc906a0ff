import EventLog
import FinOps

/// Works out an answer from the coarsest table that knows the asked dimensions: daily totals, daily sums of series, or
/// cells where hours are asked for. SQLite groups by numbers; texts are looked up once for each number.
struct CostAnswer {
    let connection: OpaquePointer
    let query: CostQuery
    let calendar: BusinessCalendar
    let lookup: DimensionLookup
    private var groups: [[String?]: Group] = [:]
    private var total = Group()
    private var answer = CostReport()
    private var hourText: (bucket: Int64, text: String) = (.min, "")

    init(_ connection: OpaquePointer, _ query: CostQuery, _ calendar: BusinessCalendar) throws {
        self.connection = connection
        self.query = query
        self.calendar = calendar
        lookup = try DimensionLookup(connection)
    }

    private struct Group {
        /// Without the cost, which is converted when all of it is known.
        var sums = CostSums()
        var amount = MixedAmount()

        func finished() throws(ProjectionFailure) -> CostSums {
            var sums = sums
            sums.cost = try amount.cost()
            sums.unconverted = amount.unconverted
            return sums
        }
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
        var standing: Standing
        var currency: String?
        var sums: RollupSums
        /// One owner's part of a cell that calls share, of which this is the cost.
        var isShared = false
        var cost: Int64?
    }

    mutating func report() throws -> CostReport {
        let used = Set(query.by).union(query.filters.keys)
        if used.contains(.hour) {
            try addCells()
        } else if used.allSatisfy(\.isInTotals) {
            try addTotals(used)
        } else {
            try addSeries()
        }
        answer.rows = try groups.map { CostReport.Row(dimensions: $0.key, sums: try $0.value.finished()) }
            .filter { !$0.sums.isZero }
            .sorted { Self.precedes($0.dimensions, $1.dimensions) }
        answer.total = try total.finished()
        answer.converted = try total.amount.converted()
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

    func evidence(_ source: Source, _ cell: Cell) throws -> CostEvidence {
        let terms = try lookup.terms(cell.terms)
        return CostEvidence(
            position: UInt64(clamping: cell.position), type: terms.flags.eventType,
            bucketStart: Timestamp(seconds: source.bucket ?? 0), basis: source.basis, provider: source.account.provider,
            account: source.account.name, service: source.series?.key.kind,
            providerProject: source.series?.providerProject, key: source.series?.key.apiKey, model: source.model,
            team: source.owner.team, project: source.owner.project, cost: source.isShared ? source.cost : cell.cost,
            currency: source.currency, inputTokens: source.sums.inputTokens, outputTokens: source.sums.outputTokens,
            requests: source.sums.requests, priceVersion: try lookup.label(terms.priceVersion),
            rule: source.isShared ? "calls" : source.attribution?.rule,
            ruleVersion: source.isShared ? nil : source.attribution?.version)
    }

    /// Whether the basis asked for counts its cost.
    func counts(_ source: Source) -> Bool {
        query.basis == .best ? source.standing == .counts : source.basis.name == query.basis.rawValue
    }

    /// Whether its tokens and requests are told.
    private func tells(_ source: Source) -> Bool {
        switch source.basis {
        case .billed: false
        case .metered: query.basis != .estimated
        case .estimated: query.basis == .estimated || query.basis == .best && source.standing != .yields
        }
    }

    mutating func add(_ source: Source) {
        guard admits(source) else { return }
        let counts = counts(source)
        var sums = CostSums()
        if tells(source) {
            sums.inputTokens = Int128(source.sums.inputTokens)
            sums.cachedInputTokens = Int128(source.sums.cachedInputTokens)
            sums.outputTokens = Int128(source.sums.outputTokens)
            sums.requests = Int128(source.sums.requests)
            if counts {
                sums.unpricedRows = Int128(source.sums.unpricedRows)
                addUnpriced(source.sums)
            }
        }
        let group = query.by.map { value(of: $0, source) }
        total.sums += sums
        groups[group, default: Group()].sums += sums
        guard counts else { return }
        let day = source.day.map { Day(number: Int($0)) }
        total.amount.add(source.sums.amount, currency: source.currency, day: day, query)
        groups[group, default: Group()].amount.add(source.sums.amount, currency: source.currency, day: day, query)
    }

    private mutating func addUnpriced(_ sums: RollupSums) {
        answer.unpriced.rows += Int128(sums.unpricedRows)
        answer.unpriced.inputTokens += Int128(sums.unpricedInputTokens)
        answer.unpriced.outputTokens += Int128(sums.unpricedOutputTokens)
        answer.unpriced.requests += Int128(sums.unpricedRequests)
    }

    // MARK: Dimensions

    func admits(_ series: DimensionLookup.Series) -> Bool {
        query.filters.allSatisfy { dimension, wanted in
            [.team, .project].contains(dimension) || matches(Self.value(of: dimension, series), wanted)
        }
    }

    func admits(_ source: Source) -> Bool {
        query.filters.allSatisfy { dimension, wanted in matches(known(dimension, source), wanted) }
    }

    private func matches(_ value: String?, _ wanted: String) -> Bool {
        value == wanted || (value == nil && wanted == CostQuery.none)
    }

    static func value(of dimension: CostDimension, _ series: DimensionLookup.Series) -> String? {
        switch dimension {
        case .provider: series.account.provider
        case .account: series.account.name
        case .service: series.key.kind
        case .key: series.key.apiKey
        case .model: series.key.model
        case .tier: series.key.serviceTier
        case .batch: series.key.batch.map { $0 ? "true" : "false" }
        case .providerProject: series.providerProject
        case .taskType: series.key.taskType
        case .intent: series.key.intent
        case .feature: series.key.feature
        case .team, .project, .hour, .day, .week, .month: nil
        }
    }

    private mutating func value(of dimension: CostDimension, _ source: Source) -> String? {
        if dimension == .hour, let bucket = source.bucket {
            if hourText.bucket != bucket { hourText = (bucket, ZonedHour.text(of: bucket, calendar)) }
            return hourText.text
        }
        return known(dimension, source)
    }

    private func known(_ dimension: CostDimension, _ source: Source) -> String? {
        switch dimension {
        case .team: source.owner.team
        case .project: source.owner.project
        case .provider: source.account.provider
        case .account: source.account.name
        case .model: source.model
        case .service, .key, .tier, .batch, .providerProject, .taskType, .intent, .feature:
            source.series.flatMap { Self.value(of: dimension, $0) }
        case .hour: nil
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
