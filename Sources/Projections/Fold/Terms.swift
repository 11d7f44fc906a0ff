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
    /// The kind of statement in the two lowest bits, then what is known about the price.
    var flags: Int64

    /// A row of the table `terms`.
    init(row: Statement) {
        currency = row.integer(1)
        length = row.integer(2)
        priceVersion = row.integer(3)
        unpricedReason = row.integer(4)
        flags = row.integer(5)
    }

    init(currency: Int64, length: Int64, priceVersion: Int64 = 0, unpricedReason: Int64 = 0, flags: Int64) {
        self.currency = currency
        self.length = length
        self.priceVersion = priceVersion
        self.unpricedReason = unpricedReason
        self.flags = flags
    }

    static func all(_ connection: OpaquePointer) throws(ProjectionFailure) -> [Terms] {
        try Statement(connection, "SELECT * FROM terms ORDER BY id").rows([], Terms.init(row:))
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
            .integer(terms.unpricedReason), .integer(terms.flags))
        all.append(terms)
        numbers[terms] = number
        return number
    }

    func currency(of number: Int64) -> Int64 { all[Int(number - 1)].currency }
}
