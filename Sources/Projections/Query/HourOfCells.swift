/// The cells of one hour, gathered by what an answer tells apart: numbers only, so that a month of hours is read in well
/// under a second.
struct HourOfCells {
    private struct Key: Hashable {
        var kind: Int
        var owner: Int64
        var currency: Int64
        var standing: Standing
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
    private var series: [DimensionLookup.Series?] = [nil]
    private let standings: CellStandings

    init(
        _ lookup: DimensionLookup, _ query: CostQuery, _ standings: CellStandings,
        admits: (DimensionLookup.Series) -> Bool
    ) throws {
        self.lookup = lookup
        self.standings = standings
        let spans = try lookup.timelines()
        let told = Set(query.by).union(query.filters.keys).filter { !$0.isTime }.sorted { $0.rawValue < $1.rawValue }
        var known: [[String?]: Int] = [:]
        // Numbers of series are their places.
        for series in try lookup.allSeries() {
            timelines.append(spans[series.id] ?? AttributionTimeline())
            self.series.append(series)
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
        let number = Int(CellID.series(cell.id))
        guard number < kindOfSeries.count, let series = series[number] else {
            throw ProjectionFailure(
                code: "projection-damaged", message: "series \(number) is missing; `projector rebuild` makes new ones")
        }
        guard let kind = kindOfSeries[number] else { return }
        let basis = series.key.basis
        var key = Key(
            kind: kind, owner: timelines[number].owner(at: bucket), currency: try lookup.terms(cell.terms).currency,
            standing: standings.standing(of: cell.id, series))
        day = cell.day
        guard let shares = standings.shares.isEmpty ? nil : standings.shares[cell.id] else {
            return try add(cell.sums(basis: basis), to: key)
        }
        for share in shares {
            key.owner = share.owner
            try add(share.sums(of: cell, basis: basis), to: key)
        }
    }

    private mutating func add(_ more: RollupSums, to key: Key) throws(ProjectionFailure) {
        guard sums[key, default: RollupSums()].add(more) else {
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
                    basis: series.key.basis, standing: key.standing, currency: try lookup.label(key.currency),
                    sums: sums)
            )
        }
        sums.removeAll(keepingCapacity: true)
        self.bucket = bucket
        return sources
    }
}
