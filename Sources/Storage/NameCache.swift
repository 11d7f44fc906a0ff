/// A dictionary table as its readers see it: names by number. A bounded, direct-mapped cache, so that a scan pays an array
/// access per name and neither hashes nor allocates.
final class NameCache {
    private let find: Statement
    private let table: String
    private var slots: [(id: Int64, name: String)]

    /// - Parameter slots: a power of two.
    init(_ table: String, slots: Int, on connection: Connection) throws(SQLiteFailure) {
        find = try connection.prepare("SELECT name FROM \(table) WHERE id = ?")
        self.table = table
        self.slots = Array(repeating: (0, ""), count: slots)
    }

    /// - Throws: as for a damaged file if there is no such row.
    func name(_ id: Int64) throws(SQLiteFailure) -> String {
        let slot = Int(truncatingIfNeeded: id) & (slots.count - 1)
        if slots[slot].id == id, id != 0 { return slots[slot].name }
        find.bind(1, id)
        defer { find.reset() }
        guard try find.step() else { throw .damaged("number \(id) is missing from \(table)") }
        let name = find.text(0)
        slots[slot] = (id, name)
        return name
    }
}
