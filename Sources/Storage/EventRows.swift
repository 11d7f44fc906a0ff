import EventLog

/// Rows of the log turned into events: on any connection, for one thread at a time.
final class EventRows {
    /// The columns of `decode`, in the order of the table, so that SQLite walks a row once.
    static let columns = """
        position, stream, version, type, schema, recorded, occurred, producer, producer_sequence, id, causation, \
        correlation, actor, payload
        """

    let connection: Connection
    let streams: NameCache
    let types: NameCache
    let names: NameCache
    private let findHead: Statement
    private let findHash: Statement

    init(_ connection: Connection) throws(SQLiteFailure) {
        self.connection = connection
        streams = try NameCache("streams", slots: 16_384, on: connection)
        types = try NameCache("types", slots: 256, on: connection)
        names = try NameCache("names", slots: 1_024, on: connection)
        findHead = try connection.prepare("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1")
        findHash = try connection.prepare("SELECT hash FROM events WHERE position = ?")
    }

    func head() throws(SQLiteFailure) -> LogHead {
        defer { findHead.reset() }
        guard try findHead.step() else { return .genesis }
        return LogHead(
            position: Position(UInt64(bitPattern: findHead.integer(0))), hash: Array(findHead.bytes(1)))
    }

    /// The hash of a row; that before the first event for `.start`.
    /// - Throws: as for a damaged file if there is no such row.
    func hash(at position: Position) throws(SQLiteFailure) -> [UInt8] {
        if position == .start { return LogHead.genesis.hash }
        findHash.bind(1, position.value)
        defer { findHash.reset() }
        guard try findHash.step() else { throw .damaged("position \(position) is missing") }
        return Array(findHash.bytes(0))
    }

    /// - Parameter row: stands on a row of `columns`.
    func decode(_ row: borrowing Statement) throws(SQLiteFailure) -> RecordedEvent {
        let event = NewEvent(
            id: try id(row, 9) ?? .none, type: EventType(try types.name(row.integer(3))),
            schema: UInt16(truncatingIfNeeded: row.integer(4)), occurred: Timestamp(microseconds: row.integer(6)),
            causation: try id(row, 10), correlation: try id(row, 11), actor: try names.name(row.integer(12)),
            payload: Array(row.bytes(13)))
        return RecordedEvent(
            position: Position(UInt64(bitPattern: row.integer(0))),
            stream: StreamName(try streams.name(row.integer(1))),
            version: StreamVersion(UInt64(bitPattern: row.integer(2))),
            recorded: Timestamp(microseconds: row.integer(5)),
            producer: ProducerName(try names.name(row.integer(7))),
            producerSequence: UInt64(bitPattern: row.integer(8)), event: event)
    }

    private func id(_ row: borrowing Statement, _ column: Int32) throws(SQLiteFailure) -> EventID? {
        let bytes = row.bytes(column)
        if bytes.count == 16 {
            return EventID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
        guard row.isNull(column) else { throw .damaged("position \(row.integer(0)) has an id of \(bytes.count) bytes") }
        return nil
    }
}
