/// What the meeting of estimates with usage and bills has come to: which estimates yield (`yielding`), and which owners
/// share a cell of the provider's (`share`).
final class StandingTable {
    private let selectYielding: Statement
    private let insertYielding: Statement
    private let deleteYielding: Statement
    private let selectShares: Statement
    private let insertShare: Statement
    private let deleteShares: Statement

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        selectYielding = try Statement(connection, "SELECT 1 FROM yielding WHERE id = ?")
        insertYielding = try Statement(connection, "INSERT INTO yielding VALUES (?)")
        deleteYielding = try Statement(connection, "DELETE FROM yielding WHERE id = ?")
        selectShares = try Statement(connection, "SELECT \(Share.columns) FROM share WHERE id = ? ORDER BY owner")
        insertShare = try Statement(connection, "INSERT INTO share(id, \(Share.columns)) VALUES (?,?,?,?,?,?,?,?)")
        deleteShares = try Statement(connection, "DELETE FROM share WHERE id = ?")
    }

    func isYielding(_ cell: Int64) throws(ProjectionFailure) -> Bool {
        !(try selectYielding.rows([.integer(cell)]) { $0.integer(0) }.isEmpty)
    }

    func setYielding(_ cell: Int64, _ value: Bool) throws(ProjectionFailure) {
        try (value ? insertYielding : deleteYielding).run(.integer(cell))
    }

    /// By owner; empty for a cell that nobody shares.
    func shares(of cell: Int64) throws(ProjectionFailure) -> [Share] {
        try selectShares.rows([.integer(cell)]) { Share(row: $0, from: 0) }
    }

    func setShares(of cell: Int64, _ shares: [Share]) throws(ProjectionFailure) {
        try deleteShares.run(.integer(cell))
        for share in shares {
            try insertShare.run(
                .integer(cell), .integer(share.owner), .integer(share.rows), .integer(share.requests),
                .integer(share.inputTokens), .integer(share.cachedInputTokens), .integer(share.outputTokens),
                SQLValue(share.cost))
        }
    }
}
