import EventLog

/// What a call's record says about its cost, read where it lies, as `UsageCost` does.
struct CallCost {
    /// Whose key it was, and where it went; then what served it and how: places in its payload.
    private(set) var names = (0..<0, 0..<0)
    private(set) var currency = 0..<0
    private var started: Int64 = 0
    private var duration: Int64 = 0
    private var cost: Int64?
    private var isUnpriced = false
    private var tokens: Int64 = 0
    private var requests: Int64 = 0

    /// The type that it can read, in the schema that it knows.
    static func reads(_ type: EventType, schema: UInt16) -> Bool { schema == 1 && type == "call.recorded" }

    init(_ payload: [UInt8]) throws(WireFields.Malformed) {
        let outcome: Result<Void, WireFields.Malformed> = payload.withUnsafeBytes { bytes in
            do throws(WireFields.Malformed) {
                try read(bytes)
                return .success(())
            } catch { return .failure(error) }
        }
        try outcome.get()
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(0..<bytes.count)
        var before = 0
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (4...10, _): names.0 = (names.0.isEmpty ? before : names.0.lowerBound)..<fields.offset
            case (13...16, _): names.1 = (names.1.isEmpty ? before : names.1.lowerBound)..<fields.offset
            case (17, .bytes(let counts)): try read(counts: counts, bytes)
            case (18, .bytes(let money)): try read(money: money, bytes)
            case (21, .bytes(let reason)): isUnpriced = !reason.isEmpty
            case (25, .varint(let value)): started = Int64(bitPattern: value)
            case (27, .varint(let value)): duration = Int64(bitPattern: value)
            default: break
            }
            before = fields.offset
        }
    }

    private mutating func read(counts: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(counts)
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1, .varint(let value)): requests = Int64(bitPattern: value)
            case (2, .varint(let value)), (5, .varint(let value)): tokens &+= Int64(bitPattern: value)
            default: break
            }
        }
    }

    private mutating func read(money: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(WireFields.Malformed) {
        var fields = WireFields(money)
        cost = 0
        while let field = try fields.next(bytes) {
            switch (field.number, field.value) {
            case (1, .varint(let value)): cost = Int64(bitPattern: value)
            case (2, .bytes(let text)): currency = text
            default: break
            }
        }
    }

    /// - Parameter counts: whether its currency is the one that is watched.
    func estimate(counts: Bool) -> CallEstimate {
        CallEstimate(
            started: started, duration: duration, cost: cost, counts: counts, isPriced: cost != nil || !isUnpriced,
            tokens: tokens, requests: requests)
    }
}
