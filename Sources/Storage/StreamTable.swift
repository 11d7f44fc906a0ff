/// The streams as the log's writer sees them: the number and the version of each.
final class StreamTable {
    private static let cachedStreams = 65_536

    struct Head {
        /// 0 as long as the stream has no events.
        var id: Int64
        var version: UInt64
    }

    private let names: NameTable
    private let findVersion: Statement
    private var heads: [ByteText: Head] = [:]

    init(on connection: Connection) throws(SQLiteFailure) {
        names = try NameTable("streams", on: connection)
        findVersion = try connection.prepare("SELECT max(version) FROM events WHERE stream = ?")
    }

    func head(of name: String) throws(SQLiteFailure) -> Head {
        let key = ByteText(name)
        if let known = heads[key] { return known }
        var head = Head(id: 0, version: 0)
        if let id = try names.id(of: name) {
            findVersion.bind(1, id)
            defer { findVersion.reset() }
            _ = try findVersion.step()
            head = Head(id: id, version: UInt64(bitPattern: findVersion.integer(0)))
        }
        if heads.count >= Self.cachedStreams { heads.removeAll(keepingCapacity: true) }
        heads[key] = head
        return head
    }

    /// The stream's head for a write: it has a number afterwards.
    func open(_ name: String) throws(SQLiteFailure) -> Head {
        var head = try head(of: name)
        if head.id == 0 { head.id = try names.intern(name) }
        return head
    }

    func advance(_ name: String, to head: Head) { heads[ByteText(name)] = head }

    /// To be called when a transaction was rolled back.
    func forget() {
        names.forget()
        heads.removeAll()
    }
}
