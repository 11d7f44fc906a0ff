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
        /// Of an estimate: metered usage has taken its place.
        var yields = false
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
            "INSERT INTO daily VALUES (?,?,?,?,?,?,?,\(marks)) ON CONFLICT DO UPDATE SET in_force = excluded.in_force, \(adding)"
        )
        deleteDaily = try Statement(
            connection,
            """
            DELETE FROM daily WHERE series = ? AND day = ? AND utc_day = ? AND owner = ? AND currency = ? AND yields = ?
            AND cells = 0
            """)
        totals = try DailyTotals(connection, "daily_total", hasModel: true)
        ownerTotals = try DailyTotals(connection, "daily_owner", hasModel: false)
        let columns = "series, day, utc_day, owner, currency, yields, " + sums.joined(separator: ", ")
        selectOfSeries = try Statement(
            connection, "SELECT \(columns) FROM daily WHERE series = ? ORDER BY day, utc_day")
        selectPart = try Statement(
            connection,
            "SELECT \(columns) FROM daily WHERE series = ? AND day BETWEEN ?2 - 1 AND ?2 + 1 AND utc_day = ?2")
        setForce = try Statement(
            connection,
            """
            UPDATE daily SET in_force = ? WHERE series = ? AND day BETWEEN ?3 - 1 AND ?3 + 1 AND utc_day = ?3
            AND yields = ?
            """)
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
            let standing = dimensions.standing(series, utcDay: Int64(key.utcDay), yields: key.yields)
            bind(key, to: upsertDaily)
            upsertDaily.bind(7, standing.rawValue)
            sums.bind(to: upsertDaily, from: 8)
            try upsertDaily.run()
            if sums.cells < 0 {
                bind(key, to: deleteDaily)
                try deleteDaily.run()
            }
            try addTotal(sums, sign: 1, of: key, series: series, standing)
        }
        pending.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        try flushTotals()
    }

    private func addTotal(
        _ sums: RollupSums, sign: Int64, of key: Key, series: Dimensions.Series, _ standing: Standing
    ) throws(ProjectionFailure) {
        let total = DailyTotals.Key(
            day: key.day, owner: key.owner, account: Int32(series.account), model: Int32(series.model),
            basis: Int32(series.key.basis.rawValue), inForce: Int32(standing.rawValue), currency: key.currency)
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
        statement.bind(6, key.yields ? 1 : 0)
    }

    /// A bill took or left force in a scope and UTC day: its cells begin or cease to count, and all others the reverse.
    /// Nothing may be pending, and the dimensions still say what was.
    func flip(_ force: Dimensions.ForceKey, to value: Bool) throws(ProjectionFailure) {
        let concerned = dimensions.series(concernedBy: force)
        try move(concerned, force.utcDay, sign: -1)
        dimensions.setInForce(force, value)
        try move(concerned, force.utcDay, sign: 1)
        for id in concerned {
            let series = dimensions.series[Int(id - 1)]
            for yields in [false, true] where !yields || series.key.basis == .estimated {
                let standing = dimensions.standing(series, utcDay: force.utcDay, yields: yields)
                try setForce.run(.integer(standing.rawValue), .integer(id), .integer(force.utcDay), SQLValue(yields))
            }
        }
        try flushTotals()
    }

    /// Into the totals or out of them, as the bills stand.
    private func move(_ concerned: [Int64], _ utcDay: Int64, sign: Int64) throws(ProjectionFailure) {
        for id in concerned {
            let series = dimensions.series[Int(id - 1)]
            for (key, sums) in try selectPart.rows([.integer(id), .integer(utcDay)], Self.row) {
                let standing = dimensions.standing(series, utcDay: utcDay, yields: key.yields)
                try addTotal(sums, sign: sign, of: key, series: series, standing)
            }
        }
    }

    /// The written rows of a series. Nothing may be pending.
    func rows(ofSeries id: Int64) throws(ProjectionFailure) -> [(key: Key, sums: RollupSums)] {
        try selectOfSeries.rows([.integer(id)], Self.row)
    }

    private static func row(_ row: Statement) -> (key: Key, sums: RollupSums) {
        (
            Key(
                series: row.integer(0), day: Int32(row.integer(1)), utcDay: Int32(row.integer(2)),
                owner: Int32(row.integer(3)), currency: Int32(row.integer(4)), yields: row.integer(5) != 0),
            RollupSums(row: row, from: 6)
        )
    }

    private static func overflow(_ key: Key) -> ProjectionFailure {
        ProjectionFailure(
            code: "sum-overflow", message: "a daily sum of series \(key.series) leaves the 64-bit integers")
    }
}

extension Rollups.Key: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        let one = (left.series, left.day, left.utcDay, left.owner, left.currency)
        let other = (right.series, right.day, right.utcDay, right.owner, right.currency)
        return one == other ? !left.yields && right.yields : one < other
    }
}
