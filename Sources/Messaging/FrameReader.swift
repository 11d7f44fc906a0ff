import EventLog

/// Reads the fields of one frame, bounds checked: what does not make sense is thrown, never trapped.
struct FrameReader {
    let header: FrameHeader
    private var cursor: ByteCursor

    init(_ bytes: UnsafeRawBufferPointer) throws(MalformedFrame) {
        guard bytes.count >= FrameHeader.count else { throw MalformedFrame(reason: "shorter than a header", at: 0) }
        guard bytes[0] == 0x46, bytes[1] == 0x4C else { throw MalformedFrame(reason: "no frame of this log", at: 0) }
        guard bytes[2] == FrameHeader.version else {
            throw MalformedFrame(reason: "frame version \(bytes[2]), this program speaks \(FrameHeader.version)", at: 2)
        }
        guard let kind = FrameKind(rawValue: bytes[3]) else {
            throw MalformedFrame(reason: "frame kind \(bytes[3]) is unknown", at: 3)
        }
        let correlation = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        header = FrameHeader(kind: kind, correlation: correlation)
        cursor = ByteCursor(bytes: bytes, offset: FrameHeader.count)
    }

    /// The correlation of bytes that may be no frame, so that a refusal finds its request if there is one.
    static func correlation(of bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count >= FrameHeader.count, bytes[0] == 0x46, bytes[1] == 0x4C else { return nil }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
    }

    var isAtEnd: Bool { cursor.offset == cursor.bytes.count }

    /// Bytes not read yet.
    var remaining: Int { cursor.bytes.count - cursor.offset }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(MalformedFrame) -> Value {
        do { return try cursor.integer(Value.self) } catch { throw MalformedFrame(reason: "ends early", at: error.at) }
    }

    mutating func flag() throws(MalformedFrame) -> Bool {
        let at = cursor.offset
        switch try integer(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw MalformedFrame(reason: "a flag is 0 or 1", at: at)
        }
    }

    mutating func text() throws(MalformedFrame) -> String {
        let at = cursor.offset
        let count = Int(try integer(UInt16.self))
        do throws(EventDecoder.Malformed) {
            if let text = String(validating: try cursor.slice(count), as: UTF8.self) { return text }
        } catch {
            throw MalformedFrame(reason: "a text ends early", at: error.at)
        }
        throw MalformedFrame(reason: "a text is not UTF-8", at: at)
    }

    mutating func event(_ decoder: inout EventDecoder) throws(MalformedFrame) -> RecordedEvent {
        var offset = cursor.offset
        do {
            let event = try decoder.decode(cursor.bytes, at: &offset)
            cursor = ByteCursor(bytes: cursor.bytes, offset: offset)
            return event
        } catch {
            throw MalformedFrame(reason: "an event does not decode", at: error.at)
        }
    }

    /// Every event up to the end.
    mutating func remainingEvents(_ decoder: inout EventDecoder) throws(MalformedFrame) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while !isAtEnd { events.append(try event(&decoder)) }
        return events
    }

    func requireEnd() throws(MalformedFrame) {
        guard isAtEnd else { throw MalformedFrame(reason: "goes on after its end", at: cursor.offset) }
    }
}

extension [UInt8] {
    /// Begins a frame. The correlation is set when it is sent.
    init(frame kind: FrameKind, correlation: UInt64 = 0) {
        self = []
        FrameHeader(kind: kind, correlation: correlation).write(into: &self)
    }

    /// Puts the correlation into a finished frame.
    mutating func setCorrelation(_ correlation: UInt64) {
        Swift.withUnsafeBytes(of: correlation.littleEndian) { replaceSubrange(4..<12, with: $0) }
    }

    mutating func append(flag: Bool) { append(flag ? 1 : 0) }

    /// Decodes a frame kept as bytes.
    func decoded<Value>(
        _ decode: (UnsafeRawBufferPointer) throws(MalformedFrame) -> Value
    ) throws(MalformedFrame) -> Value {
        try withUnsafeBytes { bytes in Result { () throws(MalformedFrame) in try decode(bytes) } }.get()
    }
}
