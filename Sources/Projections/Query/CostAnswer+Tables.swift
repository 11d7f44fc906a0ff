import EventLog
import FinOps

/// The tables an answer is read from. Rows are summed here, by numbers: SQLite's own grouping sorts them first, which costs
/// four times as much.
extension CostAnswer {
    /// From the small tables of daily sums.
    mutating func addTotals(_ used: Set<CostDimension>) throws {
        let (byModel, byOwner) = (used.contains(.model), !used.isDisjoint(with: [.team, .project]))
        let statement = try Statement(
            connection,
            """
            SELECT day, owner, account, basis, in_force, currency, \(Self.sums)\(byModel ? ", model" : "")
            FROM \(byModel ? "daily_total" : "daily_owner") WHERE day BETWEEN ? AND ?
            """)
        let own = try ownLabel()
        var totals: [DailyTotals.Key: RollupSums] = [:]
        statement.bind(all: [SQLValue(query.from.number), SQLValue(query.through.number)])
        while try statement.step() {
            let currency = statement.integer(5)
            let key = DailyTotals.Key(
                day: keepsDay(currency, own) ? Int32(statement.integer(0)) : Self.anyDay,
                owner: byOwner ? Int32(statement.integer(1)) : 0, account: Int32(statement.integer(2)),
                model: byModel ? Int32(statement.integer(6 + Int32(RollupSums.columns.count))) : 0,
                basis: Int32(statement.integer(3)), inForce: Int32(statement.integer(4)), currency: Int32(currency))
            guard totals[key, default: RollupSums()].add(RollupSums(row: statement, from: 6)) else {
                throw Self.overflow
            }
        }
        for (key, sums) in totals {
            add(
                Source(
                    account: try lookup.account(Int64(key.account)), model: try lookup.label(Int64(key.model)),
                    owner: try lookup.owner(Int64(key.owner)), day: key.day == Self.anyDay ? nil : Int64(key.day),
                    basis: CostBasis(rawValue: Int64(key.basis)) ?? .metered,
                    standing: Standing(rawValue: Int64(key.inForce)) ?? .yields,
                    currency: try lookup.label(Int64(key.currency)), sums: sums))
        }
    }

    /// From the daily sums of every series that the filters let through.
    mutating func addSeries() throws {
        let statement = try Statement(
            connection,
            "SELECT day, owner, in_force, currency, \(Self.sums) FROM daily WHERE series = ? AND day BETWEEN ? AND ?")
        let own = try ownLabel()
        for series in try lookup.allSeries() where admits(series) {
            var totals: [DailyTotals.Key: RollupSums] = [:]
            statement.bind(all: [.integer(series.id), SQLValue(query.from.number), SQLValue(query.through.number)])
            while try statement.step() {
                let currency = statement.integer(3)
                let key = DailyTotals.Key(
                    day: keepsDay(currency, own) ? Int32(statement.integer(0)) : Self.anyDay,
                    owner: Int32(statement.integer(1)), account: 0, model: 0, basis: 0,
                    inForce: Int32(statement.integer(2)), currency: Int32(currency))
                guard totals[key, default: RollupSums()].add(RollupSums(row: statement, from: 4)) else {
                    throw Self.overflow
                }
            }
            statement.reset()
            for (key, sums) in totals {
                add(
                    Source(
                        series: series, account: series.account, model: series.key.model,
                        owner: try lookup.owner(Int64(key.owner)), day: key.day == Self.anyDay ? nil : Int64(key.day),
                        basis: series.key.basis, standing: Standing(rawValue: Int64(key.inForce)) ?? .yields,
                        currency: try lookup.label(Int64(key.currency)), sums: sums))
            }
        }
    }

    private static let sums = RollupSums.columns.joined(separator: ", ")
    private static let anyDay = Int32.min
    private static let overflow = ProjectionFailure(
        code: "sum-overflow", message: "a sum leaves the 64-bit integers; ask for fewer days")

    /// The number of the reporting currency; 0 where nothing was ever priced in it.
    private func ownLabel() throws -> Int64 {
        try Statement(connection, "SELECT id FROM label WHERE text = ?").rows([.text(query.currency)]) { $0.integer(0) }
            .first ?? 0
    }

    /// Days are told apart where the answer does, and where an amount may be converted at its day's rate.
    private func keepsDay(_ currency: Int64, _ own: Int64) -> Bool {
        query.by.contains(where: \.isTime) || (currency != 0 && currency != own)
    }

    /// Hours are summed from cells, which are hours of a series already. They come by time, so an hour's cells gather in a
    /// few sums before any text is looked at.
    mutating func addCells() throws {
        let span = calendar.span(from: query.from, through: query.through)
        var hour = try HourOfCells(lookup, query, try lookup.standings(in: span)) { admits($0) }
        let statement = try Statement(
            connection, "SELECT \(Cell.columns) FROM cell WHERE id >= ? AND id < ?")
        statement.bind(all: CellID.range(of: span))
        while try statement.step() {
            let bucket = CellID.bucket(statement.integer(0))
            if bucket != hour.bucket { try drain(&hour, next: bucket) }
            try hour.add(Cell(row: statement))
        }
        try drain(&hour, next: 0)
    }

    private mutating func drain(_ hour: inout HourOfCells, next bucket: Int64) throws {
        for source in try hour.drain(next: bucket) { add(source) }
    }

    /// Every cell of the days asked for that the filters let through, by time; one that is shared once for each owner.
    func forEachCell(_ body: (Source, Cell) throws -> Void) throws {
        let span = calendar.span(from: query.from, through: query.through)
        let statement = try Statement(
            connection, "SELECT \(Cell.columns) FROM cell WHERE id >= ? AND id < ?")
        let series = Dictionary(uniqueKeysWithValues: try lookup.allSeries().map { ($0.id, $0) })
        let timelines = try lookup.timelines()
        let standings = try lookup.standings(in: span)
        statement.bind(all: CellID.range(of: span))
        while try statement.step() {
            let cell = Cell(row: statement)
            guard let series = series[CellID.series(cell.id)], admits(series) else { continue }
            let bucket = CellID.bucket(cell.id)
            let span = timelines[series.id]?.span(at: bucket)
            var source = Source(
                series: series, account: series.account, model: series.key.model,
                owner: try lookup.owner(span?.owner ?? 0), attribution: span, day: cell.day, bucket: bucket,
                basis: series.key.basis, standing: standings.standing(of: cell.id, series),
                currency: try lookup.label(lookup.terms(cell.terms).currency),
                sums: cell.sums(basis: series.key.basis))
            guard let shares = standings.shares[cell.id] else {
                if admits(source) { try body(source, cell) }
                continue
            }
            source.isShared = true
            for share in shares {
                source.owner = try lookup.owner(share.owner)
                source.sums = share.sums(of: cell, basis: series.key.basis)
                source.cost = share.cost
                if admits(source) { try body(source, cell) }
            }
        }
    }
}

extension CellID {
    /// The two ends of the cells whose buckets begin in a half-open span.
    static func range(of span: Range<Timestamp>) -> [SQLValue] {
        [span.lowerBound, span.upperBound].map { .integer(make(bucket: max(0, $0.seconds), series: 0)) }
    }
}
