/// The cells of one hour, gathered by what an answer tells apart: numbers only, so that a month of hours is read in well
/// under a second.
struct HourOfCells {
    private struct Key: Hashable {
        var kind: Int
        var owner: Int64
        var currency: Int64
        var inForce: Bool
    }

    private(set) var bucket: Int64 = 0
    private var day: Int64 = 0
    private var sums: [Key: RollupSums] = [:]
    private let lookup: DimensionLookup
    /// Series that the answer does not tell apart share a kind, and one of them stands for all.
    private var kinds: [DimensionLookup.Series] = []
    /// By a series' number; nil where the filters leave it out.
    private var kindOfSeries: [Int?] = [nil]
    private var timelines: [AttributionTimeline] = [AttributionTimeline()]
    private var scopes: [Int64] = [0]
    private let inForce: Set<Dimensions.ForceKey>

    init(_ lookup: DimensionLookup, _ query: CostQuery, admits: (DimensionLookup.Series) -> Bool) throws {
        self.lookup = lookup
        inForce = try lookup.inForce()
        let spans = try lookup.timelines()
        let told = Set(query.by).union(query.filters.keys).filter { !$0.isTime }.sorted { $0.rawValue < $1.rawValue }
        var known: [[String?]: Int] = [:]
        // Numbers of series are their places.
        for series in try lookup.allSeries() {
            timelines.append(spans[series.id] ?? AttributionTimeline())
            scopes.append(series.key.scope)
            guard admits(series) else {
                kindOfSeries.append(nil)
                continue
            }
            let identity = ["\(series.key.basis.rawValue)"] + told.map { CostAnswer.value(of: $0, series) }
            let kind = known[identity] ?? kinds.count
            if kind == kinds.count {
                known[identity] = kind
                kinds.append(series)
            }
            kindOfSeries.append(kind)
        }
    }

    /// - Throws: `ProjectionFailure` where a cell names no series, or a sum leaves the 64-bit integers.
    mutating func add(_ cell: Cell) throws(ProjectionFailure) {
        let series = Int(CellID.series(cell.id))
        guard series < kindOfSeries.count else {
            throw ProjectionFailure(
                code: "projection-damaged", message: "series \(series) is missing; `projector rebuild` makes new ones")
        }
        guard let kind = kindOfSeries[series] else { return }
        let basis = kinds[kind].key.basis
        let isBilled = !inForce.isEmpty && inForce.contains(.init(scope: scopes[series], utcDay: bucket / 86_400))
        let key = Key(
            kind: kind, owner: timelines[series].owner(at: bucket), currency: try lookup.terms(cell.terms).currency,
            inForce: isBilled == (basis == .billed))
        day = cell.day
        guard sums[key, default: RollupSums()].add(cell.sums(basis: basis)) else {
            throw ProjectionFailure(code: "sum-overflow", message: "an hour's sum leaves the 64-bit integers")
        }
    }

    /// What has gathered; then the hour that begins at `bucket` does.
    mutating func drain(next bucket: Int64) throws(ProjectionFailure) -> [CostAnswer.Source] {
        var sources: [CostAnswer.Source] = []
        for (key, sums) in sums {
            let series = kinds[key.kind]
            sources.append(
                CostAnswer.Source(
                    series: series, account: series.account, model: series.key.model,
                    owner: try lookup.owner(key.owner), attribution: nil, day: day, bucket: self.bucket,
                    basis: series.key.basis, inForce: key.inForce, currency: try lookup.label(key.currency), sums: sums)
            )
        }
        sums.removeAll(keepingCapacity: true)
        self.bucket = bucket
        return sources
    }
}
