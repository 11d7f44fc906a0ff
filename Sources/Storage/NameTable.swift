/// One dictionary table as its writer sees it: the numbers that stand for names in rows.
final class NameTable {
    private static let cachedNames = 65_536

    private let find: Statement
    private let insert: Statement
    private let connection: Connection
    private var ids: [ByteText: Int64] = [:]

    init(_ table: String, on connection: Connection) throws(SQLiteFailure) {
        find = try connection.prepare("SELECT id FROM \(table) WHERE name = ?")
        insert = try connection.prepare("INSERT INTO \(table) (name) VALUES (?) RETURNING id")
        self.connection = connection
    }

    /// The number of a name; nil if the table does not have it.
    func id(of name: String) throws(SQLiteFailure) -> Int64? {
        if let known = ids[ByteText(name)] { return known }
        find.bind(1, name)
        defer { find.reset() }
        guard try find.step() else { return nil }
        return remember(name, find.integer(0))
    }

    /// The number of a name, which is added if need be.
    func intern(_ name: String) throws(SQLiteFailure) -> Int64 {
        if let known = try id(of: name) { return known }
        insert.bind(1, name)
        defer { insert.reset() }
        guard try insert.step() else { preconditionFailure("an insert with RETURNING gives a row") }
        return remember(name, insert.integer(0))
    }

    private func remember(_ name: String, _ id: Int64) -> Int64 {
        if ids.count >= Self.cachedNames { ids.removeAll(keepingCapacity: true) }
        ids[ByteText(name)] = id
        return id
    }

    /// To be called when a transaction was rolled back.
    func forget() { ids.removeAll() }
}
