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
    /// Provider and account, and whatever lies between; then project, key and model, likewise.
    private(set) var names = (0..<0, 0..<0)

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
            case (1...2, _): names.0 = row.lowerBound..<fields.offset
            case (4, .varint(let value)): bucketStart = Int64(bitPattern: value)
            case (5, .varint(let value)): bucketEnd = Int64(bitPattern: value)
            case (6...8, _): names.1 = (names.1.isEmpty ? before : names.1.lowerBound)..<fields.offset
            case (21, .bytes(let money)) where withCost: try read(money: money, bytes)
            default: break
            }
            before = fields.offset
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

/// The numbers of series, by the very bytes that named them before: for a row like an earlier one no text is made.
struct SeriesCache: Sendable {
    private struct Known: Sendable {
        let series: Int
        let names: [UInt8]
    }

    /// By a hash of the names.
    private var known: [Int: Known] = [:]
    private static let limit = 65_536

    /// - Parameter orElse: asked for the series of names that were not met before.
    mutating func number(
        of usage: UsageCost, _ payload: [UInt8], orElse: () throws -> Int
    ) rethrows -> Int {
        let hash = payload.withUnsafeBytes { bytes in
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[usage.names.0]))
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[usage.names.1]))
            return hasher.finalize()
        }
        if let known = known[hash], known.names.elementsEqual(usage.names, in: payload) { return known.series }
        let series = try orElse()
        if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
        known[hash] = Known(series: series, names: Array(payload[usage.names.0]) + payload[usage.names.1])
        return series
    }
}

extension [UInt8] {
    fileprivate func elementsEqual(_ names: (Range<Int>, Range<Int>), in payload: [UInt8]) -> Bool {
        guard count == names.0.count + names.1.count else { return false }
        return withUnsafeBytes { known in
            payload.withUnsafeBytes { bytes in
                UnsafeRawBufferPointer(rebasing: known.prefix(names.0.count))
                    .isEqual(to: UnsafeRawBufferPointer(rebasing: bytes[names.0]))
                    && UnsafeRawBufferPointer(rebasing: known.dropFirst(names.0.count))
                        .isEqual(to: UnsafeRawBufferPointer(rebasing: bytes[names.1]))
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Word by word, since names are compared for every event.
    /// - Precondition: both are of the same length.
    fileprivate func isEqual(to other: Self) -> Bool {
        var place = 0
        while place + 8 <= count {
            guard
                loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    == other.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            else { return false }
            place += 8
        }
        while place < count {
            guard self[place] == other[place] else { return false }
            place += 1
        }
        return true
    }
}
