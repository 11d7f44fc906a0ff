/// The fields of one message, one after another, where they lie: for folds over millions of events, to which making the
/// message would be most of the work. SwiftProtobuf stays the definition; tests hold such readers to it.
package struct WireFields {
    /// Bytes that are no message.
    package struct Malformed: Error {
        package let reason: String

        package init(reason: String) { self.reason = reason }
    }

    package enum Value {
        case varint(UInt64)
        /// Where they lie.
        case bytes(Range<Int>)
        /// Of four or eight bytes.
        case fixed
    }

    /// Where the next field begins.
    package private(set) var offset: Int
    private let end: Int

    /// - Parameter range: of the message.
    package init(_ range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    /// - Returns: nil at the end.
    package mutating func next(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> (number: UInt64, value: Value)? {
        if offset == end { return nil }
        let tag = try varint(bytes)
        guard tag >> 3 > 0 else { throw Malformed(reason: "field number 0 at byte \(offset)") }
        switch tag & 7 {
        case 0: return (tag >> 3, .varint(try varint(bytes)))
        case 1: try skip(8)
        case 2:
            let length = try varint(bytes)
            let start = offset
            try skip(length)
            return (tag >> 3, .bytes(start..<offset))
        case 5: try skip(4)
        default: throw Malformed(reason: "wire type \(tag & 7) at byte \(offset)")
        }
        return (tag >> 3, .fixed)
    }

    private mutating func skip(_ count: UInt64) throws(Malformed) {
        guard count <= UInt64(end - offset) else { throw Malformed(reason: "a field reaches past the end") }
        offset += Int(count)
    }

    private mutating func varint(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw Malformed(reason: "a number without an end at byte \(offset)")
    }
}
