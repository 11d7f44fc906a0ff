/// What is summed over cells. A change is a subtraction and an addition, so every sum is a linear function of the cells.
struct RollupSums: Equatable {
    var cells: Int64 = 0
    var requests: Int64 = 0
    var inputTokens: Int64 = 0
    var cachedInputTokens: Int64 = 0
    var outputTokens: Int64 = 0
    var units: Int64 = 0
    var nanos: Int64 = 0
    var unpricedRows: Int64 = 0
    var unpricedInputTokens: Int64 = 0
    var unpricedOutputTokens: Int64 = 0
    var unpricedRequests: Int64 = 0

    static let columns = [
        "cells", "requests", "input_tokens", "cached_input_tokens", "output_tokens", "units", "nanos", "unpriced_rows",
        "unpriced_input_tokens", "unpriced_output_tokens", "unpriced_requests",
    ]

    /// Adds `sign` × `other`, or changes nothing.
    /// - Returns: false if a sum would leave the 64-bit integers.
    mutating func add(_ other: RollupSums, sign: Int64 = 1) -> Bool {
        var overflow = false
        func sum(_ left: Int64, _ right: Int64) -> Int64 {
            let (value, tooFar) = left.addingReportingOverflow(right &* sign)
            overflow = overflow || tooFar
            return value
        }
        let next = RollupSums(
            cells: sum(cells, other.cells), requests: sum(requests, other.requests),
            inputTokens: sum(inputTokens, other.inputTokens),
            cachedInputTokens: sum(cachedInputTokens, other.cachedInputTokens),
            outputTokens: sum(outputTokens, other.outputTokens), units: sum(units, other.units),
            nanos: sum(nanos, other.nanos), unpricedRows: sum(unpricedRows, other.unpricedRows),
            unpricedInputTokens: sum(unpricedInputTokens, other.unpricedInputTokens),
            unpricedOutputTokens: sum(unpricedOutputTokens, other.unpricedOutputTokens),
            unpricedRequests: sum(unpricedRequests, other.unpricedRequests))
        if !overflow { self = next }
        return !overflow
    }

    func bind(to statement: Statement, from index: Int32) {
        statement.bind(index, cells)
        statement.bind(index + 1, requests)
        statement.bind(index + 2, inputTokens)
        statement.bind(index + 3, cachedInputTokens)
        statement.bind(index + 4, outputTokens)
        statement.bind(index + 5, units)
        statement.bind(index + 6, nanos)
        statement.bind(index + 7, unpricedRows)
        statement.bind(index + 8, unpricedInputTokens)
        statement.bind(index + 9, unpricedOutputTokens)
        statement.bind(index + 10, unpricedRequests)
    }

    init() {}

    init(row: Statement, from column: Int32) {
        self.init(
            cells: row.integer(column), requests: row.integer(column + 1), inputTokens: row.integer(column + 2),
            cachedInputTokens: row.integer(column + 3), outputTokens: row.integer(column + 4),
            units: row.integer(column + 5), nanos: row.integer(column + 6), unpricedRows: row.integer(column + 7),
            unpricedInputTokens: row.integer(column + 8), unpricedOutputTokens: row.integer(column + 9),
            unpricedRequests: row.integer(column + 10))
    }

    init(
        cells: Int64, requests: Int64, inputTokens: Int64, cachedInputTokens: Int64, outputTokens: Int64, units: Int64,
        nanos: Int64, unpricedRows: Int64, unpricedInputTokens: Int64, unpricedOutputTokens: Int64,
        unpricedRequests: Int64
    ) {
        self.cells = cells
        self.requests = requests
        self.inputTokens = inputTokens
        self.cachedInputTokens = cachedInputTokens
        self.outputTokens = outputTokens
        self.units = units
        self.nanos = nanos
        self.unpricedRows = unpricedRows
        self.unpricedInputTokens = unpricedInputTokens
        self.unpricedOutputTokens = unpricedOutputTokens
        self.unpricedRequests = unpricedRequests
    }

    /// Floor division by 10⁹: the two columns in which rollups hold money.
    static func split(_ nanos: Int64) -> (units: Int64, nanos: Int64) {
        let (quotient, remainder) = nanos.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? (quotient - 1, remainder + 1_000_000_000) : (quotient, remainder)
    }

    /// The amount that `units` and `nanos` stand for.
    var amount: Int128 { Int128(units) * 1_000_000_000 + Int128(nanos) }
}
