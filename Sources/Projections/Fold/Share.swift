import FinOps

/// One owner's part of a cell. The parts of a cell sum to it, count by count.
struct Share: Equatable {
    var owner: Int64
    /// Of the cell, which is one row: 1 for one of the parts.
    var rows: Int64
    var requests: Int64
    var inputTokens: Int64
    var cachedInputTokens: Int64
    var outputTokens: Int64
    /// In nano-units; nil: unpriced.
    var cost: Int64?

    /// In the order of `init(row:from:)`.
    static let columns = "owner, rows, requests, input_tokens, cached_input_tokens, output_tokens, cost"

    init(row: Statement, from column: Int32) {
        owner = row.integer(column)
        rows = row.integer(column + 1)
        requests = row.integer(column + 2)
        inputTokens = row.integer(column + 3)
        cachedInputTokens = row.integer(column + 4)
        outputTokens = row.integer(column + 5)
        cost = row.optionalInteger(column + 6)
    }

    private init(owner: Int64, rows: Int64) {
        self.owner = owner
        self.rows = rows
        (requests, inputTokens, cachedInputTokens, outputTokens) = (0, 0, 0, 0)
    }

    /// What it adds to the sums of its day.
    func sums(of cell: Cell, basis: CostBasis) -> RollupSums {
        var part = cell
        part.requests = requests
        part.inputTokens = inputTokens
        part.cachedInputTokens = cachedInputTokens
        part.outputTokens = outputTokens
        part.cost = cost
        var sums = part.sums(basis: basis)
        if cost == nil, basis != .billed { sums.unpricedRows = rows }
        return sums
    }

    /// The estimates that a cell takes the place of, or that are on the same bill, of one owner.
    struct Claim {
        /// Decides who is given a remainder first; numbers of owners depend on the order of the log.
        var project: String
        var owner: Int64
        var cells: [Cell]

        fileprivate var estimate: CallShares.Claim {
            func sum(_ count: (Cell) -> Int64) -> Int128 { cells.reduce(0) { $0 + Int128(max(0, count($1))) } }
            return CallShares.Claim(
                cost: cells.allSatisfy { $0.cost != nil } ? sum { $0.cost ?? 0 } : nil,
                tokens: sum { $0.inputTokens &+ $0.outputTokens }, requests: sum(\.requests))
        }
    }

    /// Shares a cell by what the claims estimate.
    /// - Parameter claims: one for each owner, at least one.
    static func split(_ cell: Cell, among claims: [Claim]) -> [Share] {
        let claims = claims.sorted { $0.project < $1.project }
        let shares = CallShares.weights(claims.map(\.estimate))
        func parts(_ amount: Int64) -> [Int64] { LargestRemainder.split(amount, by: shares) }
        let rows = parts(1)
        var split = zip(claims, rows).map { Share(owner: $0.owner, rows: $1) }
        let requests = parts(cell.requests)
        let (input, cached, output) = (
            parts(cell.inputTokens), parts(cell.cachedInputTokens), parts(cell.outputTokens)
        )
        let cost = cell.cost.map(parts)
        for index in split.indices {
            split[index].requests = requests[index]
            split[index].inputTokens = input[index]
            split[index].cachedInputTokens = cached[index]
            split[index].outputTokens = output[index]
            split[index].cost = cost?[index]
        }
        return split.sorted { $0.owner < $1.owner }
    }
}
