/// What many cells share about how they were stated and priced. A whole log has few combinations, so a cell holds the
/// number of one: a narrow row is written in half the time.
struct Terms: Hashable {
    /// A label; 0 for an unpriced cell.
    var currency: Int64
    /// Seconds of the bucket.
    var length: Int64
    /// Labels; 0 for none.
    var priceVersion: Int64 = 0
    var unpricedReason: Int64 = 0
    var flags: TermsFlags

    /// In the order of `init(row:)`.
    private static let columns = "id, currency, length, price_version, unpriced_reason, flags"

    /// A row of the table `terms`.
    init(row: Statement) {
        currency = row.integer(1)
        length = row.integer(2)
        priceVersion = row.integer(3)
        unpricedReason = row.integer(4)
        flags = TermsFlags(rawValue: row.integer(5))
    }

    init(currency: Int64, length: Int64, priceVersion: Int64 = 0, unpricedReason: Int64 = 0, flags: TermsFlags) {
        self.currency = currency
        self.length = length
        self.priceVersion = priceVersion
        self.unpricedReason = unpricedReason
        self.flags = flags
    }

    /// What an hour of calls has that were priced differently.
    init(manyCallsIn currency: Int64, isEstimated: Bool) {
        self.init(
            currency: currency, length: 3_600, flags: TermsFlags.called.union(isEstimated ? .priceEstimated : []))
    }

    static func all(_ connection: OpaquePointer) throws(ProjectionFailure) -> [Terms] {
        try Statement(connection, "SELECT \(columns) FROM terms ORDER BY id").rows([], Terms.init(row:))
    }
}

/// `terms.flags`: which statement it is, in two bits, then what is known about its price.
struct TermsFlags: OptionSet, Hashable {
    let rawValue: Int64

    static let recorded: TermsFlags = []
    static let restated = TermsFlags(rawValue: 1)
    static let repriced = TermsFlags(rawValue: 2)
    static let allocated = TermsFlags(rawValue: 3)
    /// An hour of calls.
    static let called = TermsFlags(rawValue: 1 << 4)
    static let priceEstimated = TermsFlags(rawValue: 1 << priceEstimatedBit)
    static let longContextPossible = TermsFlags(rawValue: 1 << longContextPossibleBit)

    static let priceEstimatedBit: Int64 = 2
    static let longContextPossibleBit: Int64 = 3

    init(rawValue: Int64) { self.rawValue = rawValue }

    init(_ statement: UsageFact.Statement) {
        switch statement {
        case .recorded: self = .recorded
        case .restated: self = .restated
        case .repriced: self = .repriced
        }
    }

    /// The type of the event that stated it.
    var eventType: String {
        if contains(.called) { return "call.recorded" }
        return switch intersection(.allocated) {
        case .restated: "usage.restated"
        case .repriced: "usage.repriced"
        case .allocated: "bill.allocated"
        default: "usage.recorded"
        }
    }
}

/// The numbers of terms, given in log order from 1.
final class TermsTable {
    private var all: [Terms]
    private var numbers: [Terms: Int64] = [:]
    private let insert: Statement

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        all = try Terms.all(connection)
        insert = try Statement(connection, "INSERT INTO terms VALUES (?,?,?,?,?,?)")
        for (index, terms) in all.enumerated() { numbers[terms] = Int64(index + 1) }
    }

    func number(of terms: Terms) throws(ProjectionFailure) -> Int64 {
        if let known = numbers[terms] { return known }
        let number = Int64(all.count + 1)
        try insert.run(
            .integer(number), .integer(terms.currency), .integer(terms.length), .integer(terms.priceVersion),
            .integer(terms.unpricedReason), .integer(terms.flags.rawValue))
        all.append(terms)
        numbers[terms] = number
        return number
    }

    func currency(of number: Int64) -> Int64 { all[Int(number - 1)].currency }

    subscript(number: Int64) -> Terms { all[Int(number - 1)] }

    /// The terms of an hour of calls with these or others: what they do not share is left out. Its number is given when one
    /// of them is first seen, so that numbers follow the log and not the size of batches.
    func common(_ left: Int64, _ right: Int64) throws(ProjectionFailure) -> Int64 {
        if left == right { return left }
        let estimated = self[left].flags.union(self[right].flags).contains(.priceEstimated)
        return try number(of: Terms(manyCallsIn: self[left].currency, isEstimated: estimated))
    }

    /// The number of a call's own terms.
    func number(ofCall terms: Terms) throws(ProjectionFailure) -> Int64 {
        if let known = numbers[terms] { return known }
        let number = try number(of: terms)
        for estimated in [false, true] {
            _ = try self.number(of: Terms(manyCallsIn: terms.currency, isEstimated: estimated))
        }
        return number
    }
}
