/// The binary form of a recorded event: what the wire carries, what the hash chain covers, what a request's digest
/// covers. Little-endian, fixed fields first:
///
///     u32 length of what follows · u64 position · u64 version · i64 recorded µs · i64 occurred µs · u64 producer sequence
///     16 B id · 16 B causation · 16 B correlation (zeros for none) · u16 schema
///     u16+bytes stream · u16+bytes type · u16+bytes producer · u16+bytes actor · u32+bytes payload
package enum EventCodec {
    /// Of the fields that every event has, without the length in front and without the lengths of the names.
    package static let fixedBytes = 5 * 8 + 3 * 16 + 2

    /// Appends one event's form to `bytes`.
    /// - Precondition: names within `EventLimits.nameBytes`, payload within `EventLimits.payloadBytes`.
    package static func encode(_ event: RecordedEvent, into bytes: inout [UInt8]) {
        let size =
            fixedBytes + 4 * 2 + event.stream.text.utf8.count + event.type.text.utf8.count
            + event.producer.text.utf8.count + event.event.actor.utf8.count + 4 + event.payload.count
        // One append for all fixed fields: each costs more than what it copies.
        withUnsafeTemporaryAllocation(byteCount: 4 + 3 * 8, alignment: 8) { fields in
            fields.storeBytes(of: UInt32(size).littleEndian, as: UInt32.self)
            fields.storeBytes(of: event.position.value.littleEndian, toByteOffset: 4, as: UInt64.self)
            fields.storeBytes(of: event.version.value.littleEndian, toByteOffset: 12, as: UInt64.self)
            fields.storeBytes(of: event.recorded.microseconds.littleEndian, toByteOffset: 20, as: Int64.self)
            bytes.append(contentsOf: fields)
        }
        encode(
            event.event, producerSequence: event.producerSequence, into: &bytes, stream: event.stream,
            producer: event.producer)
    }

    /// The part of the form that the producer decides.
    package static func encode(
        _ event: NewEvent, producerSequence: UInt64, into bytes: inout [UInt8], stream: StreamName,
        producer: ProducerName
    ) {
        withUnsafeTemporaryAllocation(byteCount: 2 * 8 + 3 * 16 + 2, alignment: 8) { fields in
            fields.storeBytes(of: event.occurred.microseconds.littleEndian, as: Int64.self)
            fields.storeBytes(of: producerSequence.littleEndian, toByteOffset: 8, as: UInt64.self)
            store(event.id, in: fields, at: 16)
            store(event.causation ?? .none, in: fields, at: 32)
            store(event.correlation ?? .none, in: fields, at: 48)
            fields.storeBytes(of: event.schema.littleEndian, toByteOffset: 64, as: UInt16.self)
            bytes.append(contentsOf: fields)
        }
        bytes.append(short: stream.text)
        bytes.append(short: event.type.text)
        bytes.append(short: producer.text)
        bytes.append(short: event.actor)
        bytes.append(little: UInt32(event.payload.count))
        bytes.append(contentsOf: event.payload)
    }

    private static func store(_ id: EventID, in fields: UnsafeMutableRawBufferPointer, at offset: Int) {
        fields.storeBytes(of: id.high.bigEndian, toByteOffset: offset, as: UInt64.self)
        fields.storeBytes(of: id.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
    }
}

extension [UInt8] {
    /// The bytes of an integer, least significant first.
    package mutating func append(little value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// A length in 16 bits, then UTF-8. Names are bounded by `EventLimits.nameBytes` before they get here.
    package mutating func append(short text: String) {
        var text = text
        text.withUTF8 {
            append(little: UInt16($0.count))
            append(contentsOf: $0)
        }
    }
}

/// Reads the binary form from one buffer, batch after batch. It keeps the names it has seen, since a batch repeats few
/// of them many times: a name costs a comparison then, not an allocation.
package struct EventDecoder {
    /// Bytes that are no event, and where they stop being one.
    package struct Malformed: Error, Hashable { package let at: Int }

    private var names = KnownNames()
    // Those of the event before: nearly always the same.
    private var stream = ""
    private var type = ""
    private var producer = ""
    private var actor = ""

    package init() {}

    /// - Throws: `Malformed` with the offset at which the bytes stop making sense.
    package mutating func decodeAll(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        var offset = 0
        while offset < bytes.count { events.append(try decode(bytes, at: &offset)) }
        return events
    }

    /// Reads one event and moves `offset` behind it.
    package mutating func decode(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) throws(Malformed)
        -> RecordedEvent
    {
        var cursor = ByteCursor(bytes: bytes, offset: offset)
        let length = Int(try cursor.integer(UInt32.self))
        let end = cursor.offset + length
        guard length >= EventCodec.fixedBytes, end <= bytes.count else { throw Malformed(at: offset) }
        let position = Position(try cursor.integer())
        let version = StreamVersion(try cursor.integer())
        let recorded = Timestamp(microseconds: Int64(bitPattern: try cursor.integer()))
        let occurred = Timestamp(microseconds: Int64(bitPattern: try cursor.integer()))
        let producerSequence: UInt64 = try cursor.integer()
        let id = try cursor.id()
        let causation = try cursor.id()
        let correlation = try cursor.id()
        let schema = try cursor.integer(UInt16.self)
        try names.read(&cursor, over: &stream)
        try names.read(&cursor, over: &type)
        try names.read(&cursor, over: &producer)
        try names.read(&cursor, over: &actor)
        let payload = try cursor.slice(Int(try cursor.integer(UInt32.self)))
        guard cursor.offset == end else { throw Malformed(at: cursor.offset) }
        offset = end
        return RecordedEvent(
            position: position, stream: StreamName(stream), version: version, recorded: recorded,
            producer: ProducerName(producer), producerSequence: producerSequence,
            event: NewEvent(
                id: id, type: EventType(type), schema: schema, occurred: occurred,
                causation: causation == .none ? nil : causation,
                correlation: correlation == .none ? nil : correlation, actor: actor, payload: Array(payload)))
    }
}

/// Names seen before, by a hash of their bytes.
private struct KnownNames {
    private static let limit = 4_096

    private var texts: [Int: String] = [:]

    /// Reads a name; `text` stays as it is if it says the same.
    mutating func read(_ cursor: inout ByteCursor, over text: inout String) throws(EventDecoder.Malformed) {
        let start = cursor.offset
        let bytes = try cursor.slice(Int(try cursor.integer(UInt16.self)))
        if text.isSpelled(bytes) { return }
        var hash = bytes.count
        for byte in bytes { hash = hash &* 31 &+ Int(byte) }
        if let known = texts[hash], known.isSpelled(bytes) {
            text = known
            return
        }
        guard let new = String(validating: bytes, as: UTF8.self) else { throw .init(at: start) }
        if texts.count >= Self.limit { texts.removeAll(keepingCapacity: true) }
        texts[hash] = new
        text = new
    }
}

extension String {
    /// Byte for byte, eight at a time.
    fileprivate func isSpelled(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard utf8.count == bytes.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { own in
            let own = UnsafeRawBufferPointer(own)
            var offset = 0
            while offset + 8 <= bytes.count {
                let words = (
                    own.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                )
                if words.0 != words.1 { return false }
                offset += 8
            }
            while offset < bytes.count {
                if own[offset] != bytes[offset] { return false }
                offset += 1
            }
            return true
        }
        return isSame ?? utf8.elementsEqual(bytes)
    }
}

/// Bounds-checked reading of little-endian fields.
package struct ByteCursor {
    /// Must outlive the cursor.
    package let bytes: UnsafeRawBufferPointer
    /// Where the next field begins.
    package private(set) var offset: Int

    /// - Precondition: `offset` lies within `bytes`.
    package init(bytes: UnsafeRawBufferPointer, offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// A little-endian integer.
    @inline(__always)
    package mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(EventDecoder.Malformed)
        -> Value
    {
        guard bytes.count - offset >= MemoryLayout<Value>.size else { throw .init(at: offset) }
        defer { offset += MemoryLayout<Value>.size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// The sixteen bytes of an event's id.
    package mutating func id() throws(EventDecoder.Malformed) -> EventID {
        EventID(high: (try integer(UInt64.self)).byteSwapped, low: (try integer(UInt64.self)).byteSwapped)
    }

    /// That many bytes, valid as long as the buffer is.
    @inline(__always)
    package mutating func slice(_ count: Int) throws(EventDecoder.Malformed) -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - offset >= count else { throw .init(at: offset) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}
