import EventLog

/// Finds what the hashes of the rows cannot: damage to indexes, table definitions, producers and unused names.
struct StructureCheck {
    private let rows: EventRows
    private let connection: Connection
    private let head: Position

    init(_ rows: EventRows, _ head: Position) {
        self.rows = rows
        connection = rows.connection
        self.head = head
    }

    func run() throws(SQLiteFailure) -> ChainFault? {
        do throws(SQLiteFailure) {
            if let fault = try definitions() { return fault }
            if let fault = try producers() { return fault }
            if let fault = try unusedNames() { return fault }
        } catch {
            guard error.isCorruption else { throw error }
            return ChainFault(position: try firstPositionAffected(), reason: error.message)
        }
        return try pages()
    }

    /// SQLite keeps the text of each definition; a changed one changes what the rows mean.
    private func definitions() throws(SQLiteFailure) -> ChainFault? {
        let fresh = try Connection(path: ":memory:", access: .create)
        for statement in LogSchema.tables + LogSchema.triggers {
            try fresh.execute(statement, doing: "make the tables to compare with")
        }
        guard try definitions(of: connection) == definitions(of: fresh) else {
            return ChainFault(position: Position(1), reason: "a table's definition was changed")
        }
        return nil
    }

    private func definitions(of connection: Connection) throws(SQLiteFailure) -> Set<String> {
        let scan = try connection.prepare(
            "SELECT format('%s %s %s %d %s', type, name, tbl_name, type = 'trigger' AND rootpage <> 0, sql) FROM sqlite_schema"
        )
        var found: Set<String> = []
        while try scan.step() { found.insert(scan.text(0)) }
        return found
    }

    private func producers() throws(SQLiteFailure) -> ChainFault? {
        let scan = try connection.prepare(
            "SELECT name, epoch, sequence, digest, first, count, checksum FROM producers ORDER BY name")
        while try scan.step() {
            let row = ProducerRow(
                name: scan.integer(0), epoch: UInt64(bitPattern: scan.integer(1)),
                sequence: UInt64(bitPattern: scan.integer(2)), digest: Array(scan.bytes(3)),
                first: UInt64(bitPattern: scan.integer(4)), count: Int(scan.integer(5)))
            let text = try rows.names.name(row.name)
            guard scan.bytes(6).elementsEqual(row.checksum(text: text)) else {
                return ChainFault(
                    position: try firstUse(of: row.name, column: "producer") ?? Position(1),
                    reason: "the state of producer \"\(text)\" does not match its checksum")
            }
        }
        return nil
    }

    /// A name is written together with its first use, so one without a use is not what was written.
    private func unusedNames() throws(SQLiteFailure) -> ChainFault? {
        let uses = [
            ("streams", "SELECT stream FROM events"), ("types", "SELECT type FROM events"),
            ("names", "SELECT producer FROM events UNION SELECT actor FROM events UNION SELECT name FROM producers"),
        ]
        for (table, use) in uses {
            let scan = try connection.prepare("SELECT id FROM \(table) WHERE id NOT IN (\(use)) LIMIT 1")
            guard try scan.step() else { continue }
            return ChainFault(
                position: Position(1), reason: "\(table) has a number that nothing uses: \(scan.integer(0))")
        }
        return nil
    }

    /// Every page, every index against its table, and the types of all values.
    private func pages() throws(SQLiteFailure) -> ChainFault? {
        let scan = try connection.prepare("PRAGMA integrity_check(10)")
        var complaints: [String] = []
        do throws(SQLiteFailure) {
            while try scan.step() { complaints.append(scan.text(0)) }
        } catch {
            guard error.isCorruption else { throw error }
            complaints.append(error.message)
        }
        if complaints == ["ok"] { return nil }
        return ChainFault(position: try firstPositionAffected(), reason: complaints.joined(separator: "; "))
    }

    // MARK: Naming a position

    /// - Returns: nil if no event uses it.
    private func firstUse(of id: Int64, column: String) throws(SQLiteFailure) -> Position? {
        let find = try connection.prepare("SELECT position FROM events WHERE \(column) = ? ORDER BY position LIMIT 1")
        find.bind(1, id)
        return try find.step() ? Position(UInt64(bitPattern: find.integer(0))) : nil
    }

    /// The rows themselves are sound: the first position that an index does not lead to, or leads to wrongly.
    private func firstPositionAffected() throws(SQLiteFailure) -> Position {
        var first = try firstUnreachableByVersion()
        for (table, columns) in [("streams", ["stream"]), ("types", ["type"]), ("names", ["producer", "actor"])] {
            for id in try unreachableByName(table) {
                for column in columns { first = min(first, try firstUse(of: id, column: column) ?? first) }
            }
        }
        return first > head ? Position(1) : first
    }

    private func firstUnreachableByVersion() throws(SQLiteFailure) -> Position {
        var reached = [Bool](repeating: false, count: Int(head.value) + 1)
        reached[0] = true
        let scan = try connection.prepare(
            "SELECT position, stream, version FROM events INDEXED BY sqlite_autoindex_events_1 ORDER BY stream, version"
        )
        let row = try connection.prepare("SELECT 1 FROM events WHERE position = ? AND +stream = ? AND +version = ?")
        try whileReadable { () throws(SQLiteFailure) in
            guard try scan.step() else { return false }
            for column: Int32 in 0...2 { row.bind(column + 1, scan.integer(column)) }
            if try row.step(), let position = Int(exactly: scan.integer(0)), reached.indices.contains(position) {
                reached[position] = true
            }
            row.reset()
            return true
        }
        return Position(UInt64(reached.firstIndex(of: false) ?? reached.count))
    }

    private func unreachableByName(_ table: String) throws(SQLiteFailure) -> [Int64] {
        let scan = try connection.prepare("SELECT id, name FROM \(table) NOT INDEXED ORDER BY id")
        let find = try connection.prepare(
            "SELECT id FROM \(table) INDEXED BY sqlite_autoindex_\(table)_1 WHERE name = ?")
        var lost: [Int64] = []
        try whileReadable { () throws(SQLiteFailure) in
            guard try scan.step() else { return false }
            find.bind(1, scan.text(1))
            var found = false
            try whileReadable { () throws(SQLiteFailure) in
                found = try find.step() && find.integer(0) == scan.integer(0)
                return false
            }
            find.reset()
            if !found { lost.append(scan.integer(0)) }
            return true
        }
        return lost
    }

    /// Goes on until told to stop or until damage stops it.
    private func whileReadable(_ next: () throws(SQLiteFailure) -> Bool) throws(SQLiteFailure) {
        do throws(SQLiteFailure) { while try next() {} } catch {
            guard error.isCorruption else { throw error }
        }
    }
}
