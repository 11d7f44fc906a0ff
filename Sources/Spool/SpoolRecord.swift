import Digest
package import EventLog

/// An event that waits for its way into the log.
package struct SpoolRecord: Hashable, Sendable {
    /// Its place in the spool, from 1; what was damaged leaves a gap.
    package let number: UInt64
    package let stream: StreamName
    package let event: NewEvent

    package init(number: UInt64, stream: StreamName, event: NewEvent) {
        self.number = number
        self.stream = stream
        self.event = event
    }
}

/// A record's form on disk: the first 8 bytes of the SHA-256 of what follows, then the log's own form of an event, in
/// which the record's number stands for the position. A file begins with 8 bytes that say what it is.
enum RecordForm {
    static let fileStart: [UInt8] = Array("FOSPOOL1".utf8)
    static let checksumBytes = 8
    /// Checksum, length and number.
    static let headBytes = checksumBytes + 4 + 8
    /// A payload of the log's largest, and names.
    static let recordBytes = EventLimits.payloadBytes + 4 * Int(UInt16.max) + EventCodec.fixedBytes + headBytes
    private static let smallestEvent = EventCodec.fixedBytes

    /// Puts a record's form behind what `bytes` holds.
    static func encode(
        _ event: NewEvent, in stream: StreamName, number: UInt64, into bytes: inout [UInt8], _ hash: inout SHA256
    ) {
        let start = bytes.count
        bytes.append(little: UInt64(0))
        EventCodec.encode(
            RecordedEvent(
                position: Position(number), stream: stream, version: .none, recorded: Timestamp(microseconds: 0),
                producer: "", producerSequence: 0, event: event), into: &bytes)
        bytes.withUnsafeMutableBytes {
            let sum = checksum(UnsafeRawBufferPointer(rebasing: $0[(start + checksumBytes)...]), &hash)
            $0.storeBytes(of: sum, toByteOffset: start, as: UInt64.self)
        }
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer, _ hash: inout SHA256) -> UInt64 {
        hash.reset()
        hash.update(bytes)
        return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) {
            hash.finish(into: $0)
            return $0.load(as: UInt64.self)
        }
    }

    /// What stands at a place of a file, as far as it is one whole record.
    enum Found {
        case record(number: UInt64, end: Int)
        /// The file ends before the record does.
        case cut
        case damaged
    }

    static func look(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ hash: inout SHA256) -> Found {
        guard bytes.count - offset >= headBytes else { return .cut }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self)))
        guard length >= smallestEvent, length <= recordBytes else { return .damaged }
        let end = offset + checksumBytes + 4 + length
        guard end <= bytes.count else { return .cut }
        let body = UnsafeRawBufferPointer(rebasing: bytes[offset + checksumBytes..<end])
        guard checksum(body, &hash) == bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else {
            return .damaged
        }
        let number = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt64.self))
        return .record(number: number, end: end)
    }

    /// Reads a record that `look` has found.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ decoder: inout EventDecoder
    ) throws(EventDecoder.Malformed) -> SpoolRecord {
        var place = offset + checksumBytes
        let event = try decoder.decode(bytes, at: &place)
        return SpoolRecord(number: event.position.value, stream: event.stream, event: event.event)
    }
}
