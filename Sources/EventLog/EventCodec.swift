/// The binary form of a recorded event: what the wire carries, what the hash chain covers, what a request's digest
/// covers. Little-endian, fixed fields first:
///
///     u32 length of what follows · u64 position · u64 version · i64 recorded µs · i64 occurred µs · u64 producer sequence
///     16 B id · 16 B causation · 16 B correlation (zeros for none) · u16 schema
///     u16+bytes stream · u16+bytes type · u16+bytes producer · u16+bytes actor · u32+bytes payload
package enum EventCodec {
    package static let fixedBytes = 5 * 8 + 3 * 16 + 2

    package static func encode(_ event: RecordedEvent, into bytes: inout [UInt8]) {
        let lengthAt = bytes.count
        bytes.append(little: UInt32(0))
        bytes.append(little: event.position.value)
        bytes.append(little: event.version.value)
        bytes.append(little: UInt64(bitPattern: event.recorded.microseconds))
        encode(
            event.event, producerSequence: event.producerSequence, into: &bytes, stream: event.stream,
            producer: event.producer)
        let length = UInt32(bytes.count - lengthAt - 4)
        withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(lengthAt..<lengthAt + 4, with: $0) }
    }

    /// The part of the form that the producer decides.
    package static func encode(
        _ event: NewEvent, producerSequence: UInt64, into bytes: inout [UInt8], stream: StreamName,
        producer: ProducerName
    ) {
        bytes.append(little: UInt64(bitPattern: event.occurred.microseconds))
        bytes.append(little: producerSequence)
        for id in [event.id, event.causation ?? .none, event.correlation ?? .none] {
            bytes.append(little: id.high.byteSwapped)
            bytes.append(little: id.low.byteSwapped)
        }
        bytes.append(little: event.schema)
        bytes.append(short: stream.text)
        bytes.append(short: event.type.text)
        bytes.append(short: producer.text)
        bytes.append(short: event.actor)
        bytes.append(little: UInt32(event.payload.count))
        bytes.append(contentsOf: event.payload)
    }
}

extension [UInt8] {
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

    private var names: [Int: String] = [:]

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
        let stream = StreamName(try name(&cursor))
        let type = EventType(try name(&cursor))
        let producer = ProducerName(try name(&cursor))
        let actor = try name(&cursor)
        let payload = try cursor.slice(Int(try cursor.integer(UInt32.self)))
        guard cursor.offset == end else { throw Malformed(at: cursor.offset) }
        offset = end
        return RecordedEvent(
            position: position, stream: stream, version: version, recorded: recorded, producer: producer,
            producerSequence: producerSequence,
            event: NewEvent(
                id: id, type: type, schema: schema, occurred: occurred, causation: causation == .none ? nil : causation,
                correlation: correlation == .none ? nil : correlation, actor: actor, payload: Array(payload)))
    }

    private mutating func name(_ cursor: inout ByteCursor) throws(Malformed) -> String {
        let start = cursor.offset
        let bytes = try cursor.slice(Int(try cursor.integer(UInt16.self)))
        if bytes.isEmpty { return "" }
        var hash = bytes.count
        for byte in bytes { hash = hash &* 31 &+ Int(byte) }
        if let known = names[hash], known.utf8.elementsEqual(bytes) { return known }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed(at: start) }
        if names.count >= 4_096 { names.removeAll(keepingCapacity: true) }
        names[hash] = text
        return text
    }
}

/// Bounds-checked reading of little-endian fields.
package struct ByteCursor {
    package let bytes: UnsafeRawBufferPointer
    package private(set) var offset: Int

    package init(bytes: UnsafeRawBufferPointer, offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// A little-endian integer.
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
    package mutating func slice(_ count: Int) throws(EventDecoder.Malformed) -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - offset >= count else { throw .init(at: offset) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}
