import CSQLite

/// The daily sums. Changes of a batch gather in memory and are written once at its end: millions of rows touch few sums.
final class Rollups {
    /// A row of `daily`: one series, one business day's part of one UTC day, one owner, one currency.
    struct Key: Hashable {
        var series: Int64
        var day: Int32
        var utcDay: Int32
        var owner: Int32
        var currency: Int32
    }

    /// What has gathered, in the order of its first sight, and where to find it.
    private var pending: [(key: Key, sums: RollupSums)] = []
    private var places: [Key: Int] = [:]
    private let totals: DailyTotals
    private let ownerTotals: DailyTotals
    private let dimensions: Dimensions
    private let upsertDaily: Statement
    private let deleteDaily: Statement
    private let selectOfSeries: Statement
    private let selectPart: Statement
    private let setForce: Statement

    init(_ connection: OpaquePointer, _ dimensions: Dimensions) throws(ProjectionFailure) {
        self.dimensions = dimensions
        let sums = RollupSums.columns
        let adding = sums.map { "\($0) = \($0) + excluded.\($0)" }.joined(separator: ", ")
        let marks = sums.map { _ in "?" }.joined(separator: ",")
        upsertDaily = try Statement(
            connection,
            "INSERT INTO daily VALUES (?,?,?,?,?,?,\(marks)) ON CONFLICT DO UPDATE SET in_force = excluded.in_force, \(adding)"
        )
        deleteDaily = try Statement(
            connection,
            "DELETE FROM daily WHERE series = ? AND day = ? AND utc_day = ? AND owner = ? AND currency = ? AND cells = 0"
        )
        totals = try DailyTotals(connection, "daily_total", hasModel: true)
        ownerTotals = try DailyTotals(connection, "daily_owner", hasModel: false)
        let columns = "series, day, utc_day, owner, currency, " + sums.joined(separator: ", ")
        selectOfSeries = try Statement(
            connection, "SELECT \(columns) FROM daily WHERE series = ? ORDER BY day, utc_day")
        selectPart = try Statement(
            connection,
            "SELECT \(columns) FROM daily WHERE series = ? AND day BETWEEN ?2 - 1 AND ?2 + 1 AND utc_day = ?2")
        setForce = try Statement(
            connection,
            "UPDATE daily SET in_force = ? WHERE series = ? AND day BETWEEN ?3 - 1 AND ?3 + 1 AND utc_day = ?3")
    }

    /// - Throws: `ProjectionFailure` `sum-overflow` where a sum would leave the 64-bit integers.
    func add(_ sums: RollupSums, sign: Int64 = 1, to key: Key) throws(ProjectionFailure) {
        let place = place(of: key)
        guard pending[place].sums.add(sums, sign: sign) else { throw Self.overflow(key) }
    }

    /// The rows of a series come day by day, so where its last one was added is looked at before anything is hashed.
    private func place(of key: Key) -> Int {
        let series = dimensions.series[Int(key.series - 1)]
        let last = series.lastSum
        if last < pending.count, pending[last].key == key { return last }
        let place = places[key] ?? pending.count
        if place == pending.count {
            places[key] = place
            pending.append((key, RollupSums()))
        }
        series.lastSum = place
        return place
    }

    /// Writes what has gathered.
    func flush() throws(ProjectionFailure) {
        // In key order: neighbours share pages of the tree.
        pending.sort { $0.key < $1.key }
        for (key, sums) in pending where sums != RollupSums() {
            let series = dimensions.series[Int(key.series - 1)]
            let inForce = dimensions.isInForce(series, utcDay: Int64(key.utcDay))
            bind(key, to: upsertDaily)
            upsertDaily.bind(6, inForce ? 1 : 0)
            sums.bind(to: upsertDaily, from: 7)
            try upsertDaily.run()
            if sums.cells < 0 {
                bind(key, to: deleteDaily)
                try deleteDaily.run()
            }
            try addTotal(sums, sign: 1, of: key, series: series, inForce: inForce)
        }
        pending.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        try flushTotals()
    }

    private func addTotal(
        _ sums: RollupSums, sign: Int64, of key: Key, series: Dimensions.Series, inForce: Bool
    ) throws(ProjectionFailure) {
        let total = DailyTotals.Key(
            day: key.day, owner: key.owner, account: Int32(series.account), model: Int32(series.model),
            basis: Int32(series.key.basis.rawValue), inForce: inForce ? 1 : 0, currency: key.currency)
        guard totals.add(sums, sign: sign, to: total), ownerTotals.add(sums, sign: sign, to: total) else {
            throw Self.overflow(key)
        }
    }

    private func flushTotals() throws(ProjectionFailure) {
        try totals.flush()
        try ownerTotals.flush()
    }

    private func bind(_ key: Key, to statement: Statement) {
        statement.bind(1, key.series)
        statement.bind(2, Int64(key.day))
        statement.bind(3, Int64(key.utcDay))
        statement.bind(4, Int64(key.owner))
        statement.bind(5, Int64(key.currency))
    }

    /// A bill took or left force in a scope and UTC day: its cells begin or cease to count, and all others the reverse.
    /// Nothing may be pending, and the dimensions still say what was.
    func flip(_ force: Dimensions.ForceKey, to value: Bool) throws(ProjectionFailure) {
        for id in dimensions.seriesOfScope[force.scope] ?? [] {
            let series = dimensions.series[Int(id - 1)]
            let was = dimensions.isInForce(series, utcDay: force.utcDay)
            for (key, sums) in try selectPart.rows([.integer(id), .integer(force.utcDay)], Self.row) {
                try addTotal(sums, sign: -1, of: key, series: series, inForce: was)
                try addTotal(sums, sign: 1, of: key, series: series, inForce: !was)
            }
            try setForce.run(SQLValue(!was), .integer(id), .integer(force.utcDay))
        }
        dimensions.setInForce(force, value)
        try flushTotals()
    }

    /// The written rows of a series. Nothing may be pending.
    func rows(ofSeries id: Int64) throws(ProjectionFailure) -> [(key: Key, sums: RollupSums)] {
        try selectOfSeries.rows([.integer(id)], Self.row)
    }

    private static func row(_ row: Statement) -> (key: Key, sums: RollupSums) {
        (
            Key(
                series: row.integer(0), day: Int32(row.integer(1)), utcDay: Int32(row.integer(2)),
                owner: Int32(row.integer(3)), currency: Int32(row.integer(4))), RollupSums(row: row, from: 5)
        )
    }

    private static func overflow(_ key: Key) -> ProjectionFailure {
        ProjectionFailure(
            code: "sum-overflow", message: "a daily sum of series \(key.series) leaves the 64-bit integers")
    }
}

extension Rollups.Key: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        (left.series, left.day, left.utcDay, left.owner, left.currency)
            < (right.series, right.day, right.utcDay, right.owner, right.currency)
    }
}
