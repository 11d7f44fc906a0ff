/// One of the small tables of daily sums that most reports read: by owner and account, and by model or over all models.
final class DailyTotals {
    struct Key: Hashable {
        var day: Int32
        var owner: Int32
        var account: Int32
        var model: Int32
        var basis: Int32
        var inForce: Int32
        var currency: Int32
    }

    private var pending: [Key: RollupSums] = [:]
    private let hasModel: Bool
    private let upsert: Statement
    private let delete: Statement

    /// - Parameter hasModel: whether the table tells models apart.
    init(_ connection: OpaquePointer, _ table: String, hasModel: Bool) throws(ProjectionFailure) {
        self.hasModel = hasModel
        let key = ["day", "owner", "account"] + (hasModel ? ["model"] : []) + ["basis", "in_force", "currency"]
        let marks = (key + RollupSums.columns).map { _ in "?" }.joined(separator: ",")
        let adding = RollupSums.columns.map { "\($0) = \($0) + excluded.\($0)" }.joined(separator: ", ")
        upsert = try Statement(
            connection, "INSERT INTO \(table) VALUES (\(marks)) ON CONFLICT DO UPDATE SET \(adding)")
        delete = try Statement(
            connection,
            "DELETE FROM \(table) WHERE \(key.map { "\($0) = ?" }.joined(separator: " AND ")) AND cells = 0")
    }

    /// - Returns: false if a sum would leave the 64-bit integers.
    func add(_ sums: RollupSums, sign: Int64, to key: Key) -> Bool {
        var key = key
        if !hasModel { key.model = 0 }
        return pending[key, default: RollupSums()].add(sums, sign: sign)
    }

    /// Writes what has gathered.
    func flush() throws(ProjectionFailure) {
        for (key, sums) in pending where sums != RollupSums() {
            let next = bind(key, to: upsert)
            sums.bind(to: upsert, from: next)
            try upsert.run()
            guard sums.cells < 0 else { continue }
            _ = bind(key, to: delete)
            try delete.run()
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// - Returns: the parameter after the key's.
    private func bind(_ key: Key, to statement: Statement) -> Int32 {
        var index: Int32 = 1
        let model = hasModel ? [key.model] : []
        for value in [key.day, key.owner, key.account] + model + [key.basis, key.inForce, key.currency] {
            statement.bind(index, Int64(value))
            index += 1
        }
        return index
    }
}
