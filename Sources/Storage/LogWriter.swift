import EventLog

/// Writes admitted requests inside the open transaction, and knows what to return to if it is undone.
final class LogWriter {
    private let insert: EventInsert
    private let types: NameTable
    private let names: NameTable
    private let streams: StreamTable
    private let producers: ProducerTable
    private let now: () -> Timestamp

    private var chain: HashChain
    private var position: UInt64
    private var lastRecorded: Timestamp
    /// The group's time: one for all of it.
    private var recorded: Timestamp
    /// What is on disk.
    private var durable: (head: LogHead, recorded: Timestamp)
    /// The group's events in `EventCodec`'s form: hashed, bound and published from here.
    private var encoded: [UInt8] = []
    private var encodedCount = 0

    init(
        connection: Connection, head: LogHead, names: NameTable, streams: StreamTable, producers: ProducerTable,
        now: @escaping () -> Timestamp
    ) throws(SQLiteFailure) {
        insert = try EventInsert(on: connection)
        types = try NameTable("types", on: connection)
        self.names = names
        self.streams = streams
        self.producers = producers
        self.now = now
        chain = HashChain(after: head.hash)
        position = head.position.value
        let last = try connection.integer("SELECT recorded FROM events ORDER BY position DESC LIMIT 1")
        lastRecorded = head.position == .start ? .distantPast : Timestamp(microseconds: last)
        recorded = lastRecorded
        durable = (head, lastRecorded)
    }

    /// The end of what is on disk.
    var head: LogHead { durable.head }

    func beginGroup(reserving group: [AppendRequest]) {
        encoded = []
        encodedCount = 0
        // Names and fixed fields come to about 200 bytes per event.
        encoded.reserveCapacity(
            group.reduce(0) { sum, request in
                request.streams.reduce(sum) { $1.events.reduce($0) { $0 + $1.payload.count + 200 } }
            })
        recorded = max(now(), lastRecorded)
    }

    func takeGroup() -> (bytes: [UInt8], count: Int) {
        defer { encoded = [] }
        return (encoded, encodedCount)
    }

    func committed() {
        durable = (LogHead(position: Position(position), hash: chain.hash), lastRecorded)
    }

    func rolledBack() {
        types.forget()
        chain.restart(after: durable.head.hash)
        position = durable.head.position.value
        lastRecorded = durable.recorded
        encoded = []
        encodedCount = 0
    }

    /// Writes all events of a request and the producer's row.
    func write(_ request: AppendRequest, from row: inout ProducerRow) throws(SQLiteFailure) -> AppendReceipt {
        let count = request.eventCount
        let first = count == 0 ? position : position + 1
        var digest = RequestDigest(request)
        insert.bind(producer: row.name, sequence: request.sequence, recorded: recorded)
        for append in request.streams {
            digest.begin(append)
            if !append.events.isEmpty { try write(append, of: request, digest: &digest) }
        }
        if count > 0 { lastRecorded = recorded }
        row.sequence = request.sequence
        row.digest = digest.finish()
        row.first = first
        row.count = count
        try producers.write(row, text: request.producer.text)
        return AppendReceipt(first: Position(first), count: count, repeated: false)
    }

    private func write(_ append: StreamAppend, of request: AppendRequest, digest: inout RequestDigest)
        throws(SQLiteFailure)
    {
        var stream = try streams.open(append.stream.text)
        insert.bind(stream: stream.id)
        var boundType: String?
        var boundActor: String?
        for event in append.events {
            // Nearly always the same as in the event before.
            if event.type.text != boundType { insert.bind(type: try types.intern(event.type.text)) }
            if event.actor != boundActor { insert.bind(actor: try names.intern(event.actor)) }
            boundType = event.type.text
            boundActor = event.actor
            position += 1
            stream.version += 1
            try write(
                RecordedEvent(
                    position: Position(position), stream: append.stream, version: StreamVersion(stream.version),
                    recorded: recorded, producer: request.producer, producerSequence: request.sequence, event: event),
                digest: &digest)
        }
        streams.advance(append.stream.text, to: stream)
    }

    private func write(_ event: RecordedEvent, digest: inout RequestDigest) throws(SQLiteFailure) {
        let start = encoded.count
        EventCodec.encode(event, into: &encoded)
        encodedCount += 1
        let inserted = encoded.withUnsafeBytes { all -> Result<Void, SQLiteFailure> in
            let bytes = UnsafeRawBufferPointer(rebasing: all[start...])
            chain.extend(by: bytes)
            digest.add(event: UnsafeRawBufferPointer(rebasing: bytes[EventCodec.producerPartOffset...]))
            return Result { () throws(SQLiteFailure) in
                try insert.run(
                    event.event, position: event.position.value, version: event.version.value, encoded: bytes,
                    hash: chain.hash)
            }
        }
        try inserted.get()
    }
}
