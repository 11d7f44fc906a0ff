import EventLog

/// The insertion of events. Values that stay the same from event to event are bound once; the rest is bound where it lies,
/// in the event's encoded form, so that a row costs no copy and no allocation here.
struct EventInsert: ~Copyable {
    private let statement: Statement

    private enum Column {
        static let position: Int32 = 1
        static let stream: Int32 = 2
        static let version: Int32 = 3
        static let type: Int32 = 4
        static let schema: Int32 = 5
        static let recorded: Int32 = 6
        static let occurred: Int32 = 7
        static let producer: Int32 = 8
        static let producerSequence: Int32 = 9
        static let id: Int32 = 10
        static let causation: Int32 = 11
        static let correlation: Int32 = 12
        static let actor: Int32 = 13
        static let payload: Int32 = 14
        static let hash: Int32 = 15
    }

    init(on connection: Connection) throws(SQLiteFailure) {
        statement = try connection.prepare(
            """
            INSERT INTO events (position, stream, version, type, schema, recorded, occurred, producer,
            producer_sequence, id, causation, correlation, actor, payload, hash)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
    }

    func bind(producer: Int64, sequence: UInt64, recorded: Timestamp) {
        statement.bind(Column.producer, producer)
        statement.bind(Column.producerSequence, sequence)
        statement.bind(Column.recorded, recorded.microseconds)
    }

    func bind(stream: Int64) { statement.bind(Column.stream, stream) }
    func bind(type: Int64) { statement.bind(Column.type, type) }
    func bind(actor: Int64) { statement.bind(Column.actor, actor) }

    /// - Parameter encoded: the event in `EventCodec`'s form; its ids and payload are bound from there.
    func run(
        _ event: NewEvent, position: UInt64, version: UInt64, encoded: UnsafeRawBufferPointer, hash: [UInt8]
    ) throws(SQLiteFailure) {
        statement.bind(Column.position, position)
        statement.bind(Column.version, version)
        statement.bind(Column.schema, Int64(event.schema))
        statement.bind(Column.occurred, event.occurred.microseconds)
        statement.bind(Column.id, borrowing: encoded.part(EventCodec.idOffset, 16))
        bind(Column.causation, event.causation, encoded.part(EventCodec.idOffset + 16, 16))
        bind(Column.correlation, event.correlation, encoded.part(EventCodec.idOffset + 32, 16))
        let payload = event.payload.count
        statement.bind(Column.payload, borrowing: encoded.part(encoded.count - payload, payload))
        let code = hash.withUnsafeBytes { hash -> Result<Void, SQLiteFailure> in
            statement.bind(Column.hash, borrowing: hash)
            return Result { () throws(SQLiteFailure) in try statement.run() }
        }
        try code.get()
    }

    private func bind(_ column: Int32, _ id: EventID?, _ bytes: UnsafeRawBufferPointer) {
        if id == nil || id == EventID.none {
            statement.bindNull(column)
        } else {
            statement.bind(column, borrowing: bytes)
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

extension EventCodec {
    /// Where the part begins that the producer decides: after length, position, version and recorded time.
    static let producerPartOffset = 4 + 3 * 8
    /// Where the three ids begin: after occurred time and producer sequence.
    static let idOffset = producerPartOffset + 2 * 8
}
