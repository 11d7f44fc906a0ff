import FinOps

/// Reads the wire form of a usage event into a `UsageFact`. SwiftProtobuf stays the definition (a test holds this reader
/// to it, and every new series is decoded by it); here no message object, string or array is made for a row.
enum UsageFactReader {
    /// - Throws: `WireFields.Malformed` for bytes that are no usage event.
    static func read(_ payload: [UInt8], as statement: UsageFact.Statement) throws -> UsageFact {
        var fact = UsageFact(payload: payload, statement: statement)
        let observedField: UInt64 = statement == .repriced ? 5 : 2
        var fields = WireFields(payload.startIndex..<payload.endIndex)
        try payload.withUnsafeBytes { bytes in
            while let field = try fields.next(bytes) {
                switch (field.number, field.value) {
                case (1, .bytes(let range)):
                    fact.row = range
                    try readRow(&fact, bytes)
                case (observedField, .varint(let value)): fact.observed = Int64(bitPattern: value)
                default: break
                }
            }
        }
        guard !fact.row.isEmpty else { throw WireFields.Malformed(reason: "it has no row") }
        return fact
    }

    private static func readRow(_ fact: inout UsageFact, _ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(fact.row)
        fact.identityHead = fact.row.lowerBound..<fact.row.lowerBound
        fact.identityTail = fact.row.upperBound..<fact.row.upperBound
        var tailBegins: Int?
        var before = fact.row.lowerBound
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1...3, _): fact.identityHead = fact.row.lowerBound..<fields.offset
            case (4, .varint(let value)): fact.bucketStart = Int64(bitPattern: value)
            case (5, .varint(let value)): fact.bucketEnd = Int64(bitPattern: value)
            case (6...14, _):
                if tailBegins == nil { tailBegins = before }
                fact.identityTail = (tailBegins ?? before)..<fields.offset
            case (20, .bytes(let range)): try readQuantities(&fact.quantities, range, bytes)
            case (21, .bytes(let range)): try readCost(&fact, range, bytes)
            case (22, .bytes(let range)): fact.priceVersion = range
            case (23, .varint(let value)): fact.priceEstimated = value != 0
            case (24, .bytes(let range)): fact.unpricedReason = range
            case (25, .varint(let value)): fact.longContextPossible = value != 0
            default: break
            }
            before = fields.offset
        }
        fact.identityHash = hash(bytes, fact.identityHead, seed: 0x9E37_79B9_7F4A_7C15)
        fact.identityHash = hash(bytes, fact.identityTail, seed: fact.identityHash)
    }

    private static func readQuantities(
        _ quantities: inout UsageQuantities, _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer
    ) throws(WireFields.Malformed) {
        var fields = WireFields(range)
        while let field = try fields.next(bytes) {
            if case .varint(let value) = field.value { quantities.set(field: field.number, Int64(bitPattern: value)) }
        }
    }

    private static func readCost(
        _ fact: inout UsageFact, _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer
    ) throws(WireFields.Malformed) {
        fact.hasCost = true
        var fields = WireFields(range)
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1, .varint(let value)): fact.costNanos = Int64(bitPattern: value)
            case (2, .bytes(let text)): fact.currency = text
            default: break
            }
        }
    }

    /// Eight bytes at a time; collisions are harmless, the bytes are compared afterwards.
    private static func hash(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(range.count)
        var offset = range.lowerBound
        while offset + 8 <= range.upperBound {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < range.upperBound {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return mix(hash ^ rest)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}
