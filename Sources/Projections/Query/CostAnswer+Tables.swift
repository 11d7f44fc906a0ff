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
                    basis: CostBasis(rawValue: Int64(key.basis)) ?? .metered, inForce: key.inForce != 0,
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
                        basis: series.key.basis, inForce: key.inForce != 0,
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
        var hour = try HourOfCells(lookup, query) { admits($0) }
        let span = calendar.span(from: query.from, through: query.through)
        let statement = try Statement(
            connection, "SELECT \(Cell.columns) FROM cell WHERE id >= ? AND id < ?")
        statement.bind(all: Self.identities(of: span))
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

    private static func identities(of span: Range<Timestamp>) -> [SQLValue] {
        [span.lowerBound, span.upperBound].map { .integer(CellID.make(bucket: max(0, $0.seconds), series: 0)) }
    }

    /// Every cell of the days asked for that the filters let through, by time.
    func forEachCell(_ body: (Source, Cell) throws -> Void) throws {
        let span = calendar.span(from: query.from, through: query.through)
        let statement = try Statement(
            connection, "SELECT \(Cell.columns) FROM cell WHERE id >= ? AND id < ?")
        let series = Dictionary(uniqueKeysWithValues: try lookup.allSeries().map { ($0.id, $0) })
        let timelines = try lookup.timelines()
        let inForce = try lookup.inForce()
        statement.bind(all: Self.identities(of: span))
        while try statement.step() {
            let cell = Cell(row: statement)
            guard let series = series[CellID.series(cell.id)], admits(series) else { continue }
            let bucket = CellID.bucket(cell.id)
            let billed = inForce.contains(.init(scope: series.key.scope, utcDay: bucket / 86_400))
            let span = timelines[series.id]?.span(at: bucket)
            let source = Source(
                series: series, account: series.account, model: series.key.model,
                owner: try lookup.owner(span?.owner ?? 0), attribution: span, day: cell.day, bucket: bucket,
                basis: series.key.basis, inForce: billed == (series.key.basis == .billed),
                currency: try lookup.label(lookup.terms(cell.terms).currency),
                sums: cell.sums(basis: series.key.basis))
            if admits(source) { try body(source, cell) }
        }
    }
}
