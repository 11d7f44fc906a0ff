import EventLog

/// What a usage event says about cost, read where it lies: numbers as such, names as places in its payload.
struct UsageCost {
    private(set) var bucketStart: Int64 = 0
    private(set) var bucketEnd: Int64 = 0
    /// Unix seconds of the fetch.
    private(set) var observed: Int64 = 0
    /// What it adds to the cost of its row.
    private(set) var nanos: Int64 = 0
    private(set) var currency = 0..<0
    /// Provider, account and kind, and whatever lies between; then project, key, model and all other grouping, likewise.
    private(set) var names = (0..<0, 0..<0)
    /// Whether any of its counts is not zero.
    private(set) var isSomething = false

    /// The types that it can read, in the schemas that it knows.
    static func reads(_ type: EventType, schema: UInt16) -> Bool { Layout(type, schema: schema) != nil }

    /// Where a type keeps what it says.
    private struct Layout {
        let observed: UInt64
        /// nil: the row's cost is what it adds.
        let difference: UInt64?

        init?(_ type: EventType, schema: UInt16) {
            guard schema == 1 else { return nil }
            switch type {
            case "usage.recorded": (observed, difference) = (2, nil)
            case "usage.restated": (observed, difference) = (2, 5)
            case "usage.repriced": (observed, difference) = (5, 4)
            default: return nil
            }
        }
    }

    /// - Precondition: `reads(type, schema: schema)`.
    init(_ type: EventType, schema: UInt16, _ payload: [UInt8]) throws(WireFields.Malformed) {
        guard let layout = Layout(type, schema: schema) else { preconditionFailure("it reads usage alone") }
        var fields = WireFields(payload.startIndex..<payload.endIndex)
        var hasRow = false
        let outcome: Result<Void, WireFields.Malformed> = payload.withUnsafeBytes { bytes in
            do throws(WireFields.Malformed) {
                while let field = try fields.next(bytes) {
                    switch (field.number, field.value) {
                    case (1, .bytes(let row)):
                        hasRow = true
                        try read(row: row, bytes, withCost: layout.difference == nil)
                    case (layout.observed, .varint(let value)): observed = Int64(bitPattern: value)
                    case (let number, .bytes(let money)) where number == layout.difference:
                        try read(money: money, bytes)
                    default: break
                    }
                }
                return .success(())
            } catch { return .failure(error) }
        }
        try outcome.get()
        guard hasRow else { throw WireFields.Malformed(reason: "it has no row") }
    }

    private mutating func read(row: Range<Int>, _ bytes: UnsafeRawBufferPointer, withCost: Bool)
        throws(WireFields.Malformed)
    {
        var fields = WireFields(row)
        var before = row.lowerBound
        names = (before..<before, before..<before)
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1...3, _): names.0 = row.lowerBound..<fields.offset
            case (4, .varint(let value)): bucketStart = Int64(bitPattern: value)
            case (5, .varint(let value)): bucketEnd = Int64(bitPattern: value)
            case (6...14, _): names.1 = (names.1.isEmpty ? before : names.1.lowerBound)..<fields.offset
            case (20, .bytes(let counts)): try read(counts: counts, bytes)
            case (21, .bytes(let money)) where withCost: try read(money: money, bytes)
            default: break
            }
            before = fields.offset
        }
    }

    /// No further than to the first that is not zero: mostly the first.
    private mutating func read(counts: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(counts)
        while !isSomething, let field = try fields.next(bytes) {
            if case .varint(let count) = field.value { isSomething = count != 0 }
        }
    }

    private mutating func read(money: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(money)
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1, .varint(let value)): nanos = Int64(bitPattern: value)
            case (2, .bytes(let text)): currency = text
            default: break
            }
        }
    }
}
