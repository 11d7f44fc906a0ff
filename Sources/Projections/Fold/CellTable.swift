import CSQLite

/// A cell's part that its sums and its restatement need.
struct Cell: Equatable {
    var id: Int64
    var day: Int64
    var requests: Int64
    var inputTokens: Int64
    var cachedInputTokens: Int64
    var outputTokens: Int64
    /// In nano-units; nil: unpriced.
    var cost: Int64?
    /// A label; 0 for an unpriced cell.
    var currency: Int64

    /// What it adds to the sums of its day. Billed cells have no quantities; an unpriced metered one is counted as such.
    func sums(basis: CostBasis) -> RollupSums {
        let (units, nanos) = RollupSums.split(cost ?? 0)
        let unpriced = cost == nil && basis != .billed
        return RollupSums(
            cells: 1, requests: requests, inputTokens: inputTokens, cachedInputTokens: cachedInputTokens,
            outputTokens: outputTokens, units: units, nanos: nanos, unpricedRows: unpriced ? 1 : 0,
            unpricedInputTokens: unpriced ? inputTokens : 0, unpricedOutputTokens: unpriced ? outputTokens : 0,
            unpricedRequests: unpriced ? requests : 0)
    }
}

/// The table `cell` on prepared statements: the hot path of a rebuild is its plain insert.
final class CellTable {
    private let insertPlain: Statement
    private let insertWhole: Statement
    private let selectOne: Statement
    private let selectSpan: Statement
    private let delete: Statement

    static let columns = [
        "id", "day", "length", "requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
        "cost", "currency", "price_version", "unpriced_reason", "flags", "position", "observed",
    ]
    static let rareColumns = [
        "audio_input_tokens", "cached_audio_input_tokens", "audio_output_tokens", "image_input_tokens",
        "cached_image_input_tokens", "image_output_tokens", "images", "characters", "seconds", "usage_bytes",
        "sessions",
        "calls",
    ]

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        func insert(_ columns: [String]) -> String {
            "INSERT INTO cell(\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ",")))"
                + " ON CONFLICT DO NOTHING"
        }
        insertPlain = try Statement(connection, insert(Self.columns))
        insertWhole = try Statement(connection, insert(Self.columns + Self.rareColumns))
        let wanted = "id, day, requests, input_tokens, cached_input_tokens, output_tokens, cost, currency"
        selectOne = try Statement(connection, "SELECT \(wanted) FROM cell WHERE id = ?")
        selectSpan = try Statement(connection, "SELECT \(wanted) FROM cell WHERE id >= ? AND id < ? AND id & ? = ?")
        delete = try Statement(connection, "DELETE FROM cell WHERE id = ?")
    }

    /// The values of a new row that are not in `Cell`.
    struct Details {
        var length: Int64
        var cacheWriteTokens: Int64 = 0
        var priceVersion: Int64 = 0
        var unpricedReason: Int64 = 0
        var flags: Int64
        var position: Int64
        var observed: Int64
        var rare: [Int64]?
    }

    /// - Returns: false if there is a cell of that id.
    func insert(_ cell: Cell, _ details: Details) throws(ProjectionFailure) -> Bool {
        let statement = details.rare == nil ? insertPlain : insertWhole
        statement.bind(1, cell.id)
        statement.bind(2, cell.day)
        statement.bind(3, details.length)
        statement.bind(4, cell.requests)
        statement.bind(5, cell.inputTokens)
        statement.bind(6, cell.cachedInputTokens)
        statement.bind(7, details.cacheWriteTokens)
        statement.bind(8, cell.outputTokens)
        statement.bind(9, cell.cost)
        statement.bind(10, cell.currency)
        statement.bind(11, details.priceVersion)
        statement.bind(12, details.unpricedReason)
        statement.bind(13, details.flags)
        statement.bind(14, details.position)
        statement.bind(15, details.observed)
        for (index, count) in (details.rare ?? []).enumerated() {
            statement.bind(Int32(16 + index), count == 0 ? nil : count)
        }
        return try statement.insertIfNew()
    }

    func cell(_ id: Int64) throws(ProjectionFailure) -> Cell? {
        try selectOne.rows([.integer(id)], Self.read).first
    }

    /// The cells of one series whose buckets begin in a half-open span of seconds.
    func cells(ofSeries series: Int64, in span: Range<Int64>) throws(ProjectionFailure) -> [Cell] {
        try selectSpan.rows(
            [
                .integer(CellID.make(bucket: span.lowerBound, series: 0)),
                .integer(CellID.make(bucket: span.upperBound, series: 0)), .integer(CellID.seriesMask),
                .integer(series),
            ], Self.read)
    }

    func remove(_ id: Int64) throws(ProjectionFailure) { try delete.run(.integer(id)) }

    static func read(_ row: Statement) -> Cell {
        Cell(
            id: row.integer(0), day: row.integer(1), requests: row.integer(2), inputTokens: row.integer(3),
            cachedInputTokens: row.integer(4), outputTokens: row.integer(5), cost: row.optionalInteger(6),
            currency: row.integer(7))
    }
}
