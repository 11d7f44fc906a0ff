import EventLog

/// The first row that is not what was written.
struct ChainFault: Hashable, Sendable {
    let position: Position
    let reason: String
}

/// Recomputes the hash chain over a range of rows.
struct ChainWalk: ~Copyable {
    private var chain: HashChain
    private(set) var position: Position
    private var bytes: [UInt8] = []

    init(after head: LogHead) {
        chain = HashChain(after: head.hash)
        position = head.position
    }

    /// The hash of the last row walked over.
    var hash: [UInt8] { chain.hash }

    /// - Parameter progress: told the position now and then.
    /// - Returns: the first bad row; nil if all rows through `last` are there, in order and as they were written.
    mutating func run(over rows: EventRows, through last: Position, progress: (Position) -> Void = { _ in })
        throws(SQLiteFailure) -> ChainFault?
    {
        let scan = try rows.connection.prepare(
            "SELECT \(EventRows.columns), hash FROM events WHERE position > ? AND position <= ? ORDER BY position")
        scan.bind(1, position.value)
        scan.bind(2, last.value)
        while position < last {
            do throws(SQLiteFailure) {
                guard try scan.step() else { return fault("the row is missing") }
                if let reason = try check(scan, rows) { return fault(reason) }
            } catch {
                guard error.isCorruption else { throw error }
                return fault(error.message)
            }
            position = position.next
            if position.value.isMultiple(of: 65_536) { progress(position) }
        }
        return nil
    }

    /// - Returns: what is wrong with the row; nil if nothing.
    private mutating func check(_ row: borrowing Statement, _ rows: EventRows) throws(SQLiteFailure) -> String? {
        let event = try rows.decode(row)
        guard event.position == position.next else { return "the row is missing" }
        bytes.removeAll(keepingCapacity: true)
        EventCodec.encode(event, into: &bytes)
        bytes.withUnsafeBytes { chain.extend(by: $0) }
        guard row.bytes(14).elementsEqual(chain.hash) else { return "the row does not match its hash" }
        return nil
    }

    private func fault(_ reason: String) -> ChainFault { ChainFault(position: position.next, reason: reason) }
}
