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

    /// Of the last row written, committed or not.
    var hash: [UInt8] { chain.hash }

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
        var bound: (type: ByteText, actor: ByteText)?
        for event in append.events {
            // Nearly always the same as in the event before.
            let (type, actor) = (ByteText(event.type.text), ByteText(event.actor))
            if type != bound?.type { insert.bind(type: try types.intern(type.text)) }
            if actor != bound?.actor { insert.bind(actor: try names.intern(actor.text)) }
            bound = (type, actor)
            stream.version += 1
            let recorded = RecordedEvent(
                position: Position(position + 1), stream: append.stream, version: StreamVersion(stream.version),
                recorded: recorded, producer: request.producer, producerSequence: request.sequence, event: event)
            try write(recorded) { digest.add(event: $0) }
        }
        streams.advance(append.stream.text, to: stream)
    }

    /// - Parameter digest: takes the part of the encoded event that the producer decided.
    private func write(_ event: RecordedEvent, digest: (UnsafeRawBufferPointer) -> Void) throws(SQLiteFailure) {
        let start = encoded.count
        EventCodec.encode(event, into: &encoded)
        encodedCount += 1
        position = event.position.value
        let inserted = encoded.withUnsafeBytes { all -> Result<Void, SQLiteFailure> in
            let bytes = UnsafeRawBufferPointer(rebasing: all[start...])
            chain.extend(by: bytes)
            digest(UnsafeRawBufferPointer(rebasing: bytes[EventCodec.producerPartOffset...]))
            return Result { () throws(SQLiteFailure) in
                try insert.run(
                    event.event, position: event.position.value, version: event.version.value, encoded: bytes,
                    hash: chain.hash)
            }
        }
        try inserted.get()
    }

    // MARK: Import

    /// Writes an event of another log as it was recorded there, and lets its producer's row follow.
    /// - Returns: why it does not continue this log; nil if it does.
    func restore(_ event: RecordedEvent) throws(SQLiteFailure) -> String? {
        let request = AppendRequest(
            producer: event.producer, epoch: 1, sequence: event.producerSequence,
            [StreamAppend(event.stream, [event.event])])
        do throws(AppendRefusal) { try AppendRules.validate(request, knownTypes: nil) } catch { return "\(error)" }
        var stream = try streams.open(event.stream.text)
        guard event.position.value == position + 1 else { return "position \(position + 1) was expected" }
        guard event.version.value == stream.version + 1 else {
            return "version \(stream.version + 1) of \(event.stream) was expected, not \(event.version)"
        }
        guard event.recorded >= lastRecorded else { return "it was recorded before the event before it" }
        if let reason = try follow(event) { return reason }
        insert.bind(stream: stream.id)
        insert.bind(type: try types.intern(event.type.text))
        insert.bind(actor: try names.intern(event.event.actor))
        stream.version += 1
        try write(event) { _ in }
        streams.advance(event.stream.text, to: stream)
        lastRecorded = event.recorded
        return nil
    }

    /// What a request was expected to meet is not exported, so its digest is not known: a repeat of an imported request
    /// is refused, never written twice.
    private func follow(_ event: RecordedEvent) throws(SQLiteFailure) -> String? {
        let name = try names.intern(event.producer.text)
        insert.bind(producer: name, sequence: event.producerSequence, recorded: event.recorded)
        var row =
            try producers.row(of: event.producer.text)
            ?? ProducerRow(name: name, epoch: 1, sequence: 0, digest: LogHead.genesis.hash, first: 0, count: 0)
        guard event.producerSequence >= row.sequence else {
            return "sequence \(event.producerSequence) of \(event.producer) comes after \(row.sequence)"
        }
        if event.producerSequence > row.sequence {
            row.sequence = event.producerSequence
            row.first = event.position.value
            row.count = 0
        }
        row.count += 1
        try producers.write(row, text: event.producer.text)
        return nil
    }
}
