import Digest

/// What the log keeps of a producer: its epoch and its last request.
struct ProducerRow: Equatable {
    var name: Int64
    var epoch: UInt64
    var sequence: UInt64
    /// Of the last request (`RequestDigest`); 32 zero bytes before the first.
    var digest: [UInt8]
    var first: UInt64
    var count: Int

    /// Guards what no event covers against a flipped bit.
    func checksum(text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for number in [UInt64(bitPattern: name), epoch, sequence, first, UInt64(count)] {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return SHA256.hash(bytes + digest)
    }
}

/// The producers as the log's writer sees them.
final class ProducerTable {
    private static let cachedProducers = 4_096

    private let names: NameTable
    private let find: Statement
    private let save: Statement
    private var rows: [ByteText: ProducerRow] = [:]

    init(names: NameTable, on connection: Connection) throws(SQLiteFailure) {
        self.names = names
        find = try connection.prepare("SELECT epoch, sequence, digest, first, count FROM producers WHERE name = ?")
        save = try connection.prepare(
            """
            INSERT INTO producers (name, epoch, sequence, digest, first, count, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence,
            digest = excluded.digest, first = excluded.first, count = excluded.count, checksum = excluded.checksum
            """)
    }

    func row(of producer: String) throws(SQLiteFailure) -> ProducerRow? {
        let key = ByteText(producer)
        if let known = rows[key] { return known }
        guard let name = try names.id(of: producer) else { return nil }
        guard let row = try ProducerRow.read(name: name, with: find) else { return nil }
        remember(row, key)
        return row
    }

    func write(_ row: ProducerRow, text: String) throws(SQLiteFailure) {
        save.bind(1, row.name)
        save.bind(2, row.epoch)
        save.bind(3, row.sequence)
        save.bind(4, row.digest)
        save.bind(5, row.first)
        save.bind(6, Int64(row.count))
        save.bind(7, row.checksum(text: text))
        try save.run()
        remember(row, ByteText(text))
    }

    private func remember(_ row: ProducerRow, _ key: ByteText) {
        if rows.count >= Self.cachedProducers { rows.removeAll(keepingCapacity: true) }
        rows[key] = row
    }

    /// To be called when a transaction was rolled back.
    func forget() { rows.removeAll() }
}

extension ProducerRow {
    static func read(name: Int64, with find: borrowing Statement) throws(SQLiteFailure) -> ProducerRow? {
        find.bind(1, name)
        defer { find.reset() }
        guard try find.step() else { return nil }
        return ProducerRow(
            name: name, epoch: UInt64(bitPattern: find.integer(0)), sequence: UInt64(bitPattern: find.integer(1)),
            digest: Array(find.bytes(2)), first: UInt64(bitPattern: find.integer(3)), count: Int(find.integer(4)))
    }
}
