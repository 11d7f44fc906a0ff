import CSQLite

/// A row of the table `cell`: the last statement about one bucket of one series.
struct Cell: Equatable {
    var id: Int64
    var day: Int64
    var requests: Int64
    var inputTokens: Int64
    var cachedInputTokens: Int64
    var outputTokens: Int64
    /// In nano-units; nil: unpriced.
    var cost: Int64?
    /// The number of its `Terms`.
    var terms: Int64
    /// Of the event that stated it.
    var position: Int64
    /// Unix seconds at which the provider was asked.
    var observed: Int64

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

    /// In the order of `init(row:)`.
    static let columns =
        "id, day, requests, input_tokens, cached_input_tokens, output_tokens, cost, terms, position, observed"

    init(row: Statement) {
        id = row.integer(0)
        day = row.integer(1)
        requests = row.integer(2)
        inputTokens = row.integer(3)
        cachedInputTokens = row.integer(4)
        outputTokens = row.integer(5)
        cost = row.optionalInteger(6)
        terms = row.integer(7)
        position = row.integer(8)
        observed = row.integer(9)
    }

    init(
        id: Int64, day: Int64, requests: Int64 = 0, inputTokens: Int64 = 0, cachedInputTokens: Int64 = 0,
        outputTokens: Int64 = 0, cost: Int64?, terms: Int64, position: Int64, observed: Int64
    ) {
        self.id = id
        self.day = day
        self.requests = requests
        self.inputTokens = inputTokens
        self.cachedInputTokens = cachedInputTokens
        self.outputTokens = outputTokens
        self.cost = cost
        self.terms = terms
        self.position = position
        self.observed = observed
    }

    fileprivate static let columnCount: Int32 = 10

    fileprivate func bind(to statement: Statement, from index: Int32 = 1) {
        statement.bind(index, id)
        statement.bind(index + 1, day)
        statement.bind(index + 2, requests)
        statement.bind(index + 3, inputTokens)
        statement.bind(index + 4, cachedInputTokens)
        statement.bind(index + 5, outputTokens)
        statement.bind(index + 6, cost)
        statement.bind(index + 7, terms)
        statement.bind(index + 8, position)
        statement.bind(index + 9, observed)
    }
}

/// The tables `cell` and `cell_detail` on prepared statements. The hot path of a rebuild is `append`: new cells gather and
/// are inserted many a statement, in the order of the file. Counts that few rows have lie beside, so that the rest is narrow.
final class CellTable {
    /// Cells that are in no table yet. Everything else that this type does writes them first.
    private var gathered: [Cell] = []
    private static let gatheredAtMost = 4_096
    private static let rowsOfStatement = 16

    private let insertMany: Statement
    private let insert: Statement
    private let replace: Statement
    private let selectOne: Statement
    private let selectSpan: Statement
    private let delete: Statement
    private let insertDetail: Statement
    private let deleteDetail: Statement
    private let selectDetail: Statement

    static let detailColumns = [
        "cache_write_tokens", "audio_input_tokens", "cached_audio_input_tokens", "audio_output_tokens",
        "image_input_tokens", "cached_image_input_tokens", "image_output_tokens", "images", "characters", "seconds",
        "usage_bytes", "sessions", "calls", "cache_write_1h_tokens", "reasoning_tokens",
    ]

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        let row = "(?,?,?,?,?,?,?,?,?,?)"
        let values = "INTO cell(\(Cell.columns)) VALUES \(row)"
        // FAIL and not ABORT: a failure ends the transaction anyway, so no statement needs to be undone alone.
        insertMany = try Statement(
            connection,
            "INSERT OR FAIL \(values)" + String(repeating: "," + row, count: Self.rowsOfStatement - 1))
        insert = try Statement(connection, "INSERT \(values) ON CONFLICT DO NOTHING")
        replace = try Statement(connection, "REPLACE \(values)")
        selectOne = try Statement(connection, "SELECT \(Cell.columns) FROM cell WHERE id = ?")
        selectSpan = try Statement(
            connection, "SELECT \(Cell.columns) FROM cell WHERE id >= ? AND id < ? AND id & ? = ?")
        delete = try Statement(connection, "DELETE FROM cell WHERE id = ?")
        let marks = Self.detailColumns.map { _ in ",?" }.joined()
        insertDetail = try Statement(
            connection, "INSERT INTO cell_detail(id, \(Self.detailColumns.joined(separator: ", "))) VALUES (?\(marks))")
        deleteDetail = try Statement(connection, "DELETE FROM cell_detail WHERE id = ?")
        selectDetail = try Statement(
            connection, "SELECT \(Self.detailColumns.joined(separator: ", ")) FROM cell_detail WHERE id = ?")
    }

    /// Adds a cell that is known to be new; it may be written later.
    /// - Parameter detail: the counts of `detailColumns`; nil where all are 0.
    func append(_ cell: Cell, detail: [Int64]?) throws(ProjectionFailure) {
        if let detail { try write(detail, of: cell.id) }
        gathered.append(cell)
        if gathered.count >= Self.gatheredAtMost { try flush() }
    }

    /// Writes what has gathered.
    func flush() throws(ProjectionFailure) {
        if gathered.isEmpty { return }
        // Rows at the end of the tree find their page at once, and fill it.
        gathered.sort { $0.id < $1.id }
        var rest = gathered[...]
        while rest.count >= Self.rowsOfStatement {
            var index: Int32 = 1
            for cell in rest.prefix(Self.rowsOfStatement) {
                cell.bind(to: insertMany, from: index)
                index += Cell.columnCount
            }
            try insertMany.run()
            rest = rest.dropFirst(Self.rowsOfStatement)
        }
        for cell in rest {
            cell.bind(to: insert)
            guard try insert.insertIfNew() else {
                throw ProjectionFailure(code: "cell-twice", message: "cell \(cell.id) is there already")
            }
        }
        gathered.removeAll(keepingCapacity: true)
    }

    /// - Parameter detail: the counts of `detailColumns`; nil where all are 0.
    /// - Returns: false if there is a cell of that id: nothing is written then.
    func insert(_ cell: Cell, detail: [Int64]? = nil) throws(ProjectionFailure) -> Bool {
        try flush()
        cell.bind(to: insert)
        guard try insert.insertIfNew() else { return false }
        if let detail { try write(detail, of: cell.id) }
        return true
    }

    /// Writes the cell, whether there is one of that id or not.
    func replace(_ cell: Cell, detail: [Int64]?) throws(ProjectionFailure) {
        try flush()
        cell.bind(to: replace)
        try replace.run()
        try deleteDetail.run(.integer(cell.id))
        if let detail { try write(detail, of: cell.id) }
    }

    private func write(_ detail: [Int64], of id: Int64) throws(ProjectionFailure) {
        insertDetail.bind(1, id)
        for (index, count) in detail.enumerated() { insertDetail.bind(Int32(2 + index), count == 0 ? nil : count) }
        try insertDetail.run()
    }

    func cell(_ id: Int64) throws(ProjectionFailure) -> Cell? {
        try flush()
        return try selectOne.rows([.integer(id)], Cell.init(row:)).first
    }

    /// The counts of `detailColumns`; nil when the cell has none of them.
    func detail(of id: Int64) throws(ProjectionFailure) -> [Int64]? {
        try selectDetail.rows([.integer(id)]) { row in
            (0..<Int32(Self.detailColumns.count)).map { row.integer($0) }
        }.first
    }

    /// The cells of one series whose buckets begin in a half-open span of seconds.
    func cells(ofSeries series: Int64, in span: Range<Int64>) throws(ProjectionFailure) -> [Cell] {
        try flush()
        return try selectSpan.rows(
            [
                .integer(CellID.make(bucket: span.lowerBound, series: 0)),
                .integer(CellID.make(bucket: span.upperBound, series: 0)), .integer(CellID.seriesMask),
                .integer(series),
            ], Cell.init(row:))
    }

    func remove(_ id: Int64) throws(ProjectionFailure) {
        try flush()
        try delete.run(.integer(id))
        try deleteDetail.run(.integer(id))
    }
}
