import CSQLite

/// One prepared statement on the C API, kept for the life of its connection: the folds' hot path, and the answers'.
final class Statement {
    private let connection: OpaquePointer
    private let handle: OpaquePointer

    /// - Throws: `ProjectionFailure` if SQLite refuses the SQL.
    init(_ connection: OpaquePointer, _ sql: String) throws(ProjectionFailure) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw ProjectionFailure(connection, code, doing: sql) }
        self.connection = connection
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { sqlite3_bind_null(handle, index) }
    }

    func bind(_ index: Int32, _ text: String?) {
        guard var text else {
            sqlite3_bind_null(handle, index)
            return
        }
        text.withUTF8 { bytes in
            _ = bytes.withMemoryRebound(to: CChar.self) {
                sqlite3_bind_text(handle, index, $0.baseAddress ?? Self.empty, Int32($0.count), Self.transient)
            }
        }
    }

    func bind(_ index: Int32, blob bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes {
            sqlite3_bind_blob(
                handle, index, $0.baseAddress ?? UnsafeRawPointer(Self.empty), Int32($0.count), Self.transient)
        }
    }

    /// Binds the values to the parameters 1, 2, 3 …
    func bind(all values: [SQLValue]) {
        for (index, value) in values.enumerated() {
            let parameter = Int32(index + 1)
            switch value {
            case .null: sqlite3_bind_null(handle, parameter)
            case .integer(let number): bind(parameter, number)
            case .text(let text): bind(parameter, text)
            case .blob(let bytes): bind(parameter, blob: bytes)
            }
        }
    }

    /// - Returns: whether there is a row.
    func step() throws(ProjectionFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let failure = ProjectionFailure(
                connection, code, doing: sqlite3_sql(handle).map { String(cString: $0) } ?? "")
            sqlite3_reset(handle)
            throw failure
        }
    }

    /// Runs a statement that returns no rows, and makes it ready for the next time.
    func run() throws(ProjectionFailure) {
        _ = try step()
        sqlite3_reset(handle)
    }

    func run(_ values: SQLValue...) throws(ProjectionFailure) {
        bind(all: values)
        try run()
    }

    /// Runs an insert that ends with `ON CONFLICT DO NOTHING`.
    /// - Returns: false if a row of that key is there already.
    func insertIfNew() throws(ProjectionFailure) -> Bool {
        try run()
        return sqlite3_changes(connection) > 0
    }

    func reset() { sqlite3_reset(handle) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }
    func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    func optionalText(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func blob(_ column: Int32) -> [UInt8] {
        guard let bytes = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }

    var columnCount: Int32 { sqlite3_column_count(handle) }
    func type(of column: Int32) -> Int32 { sqlite3_column_type(handle, column) }

    /// Every row of a query, read by `row`, then ready for the next time.
    func rows<Row>(_ values: [SQLValue] = [], _ row: (Statement) throws(ProjectionFailure) -> Row)
        throws(ProjectionFailure) -> [Row]
    {
        bind(all: values)
        defer { reset() }
        var rows: [Row] = []
        while try step() { rows.append(try row(self)) }
        return rows
    }

    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    /// What an empty buffer, which has no address, is bound as: a null pointer would bind NULL.
    private static let nothing: StaticString = ""
    private static var empty: UnsafePointer<CChar> {
        UnsafeRawPointer(nothing.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

/// A value for a parameter.
enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])

    init(_ text: String?) { self = text.map(SQLValue.text) ?? .null }
    init(_ number: Int64?) { self = number.map(SQLValue.integer) ?? .null }
    init(_ number: Int) { self = .integer(Int64(number)) }
    init(_ flag: Bool) { self = .integer(flag ? 1 : 0) }
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(stringLiteral value: String) { self = .text(value) }
}

extension ProjectionFailure {
    init(_ connection: OpaquePointer, _ code: Int32, doing sql: String) {
        let what = sqlite3_errmsg(connection).map { String(cString: $0) } ?? "SQLite error \(code)"
        let primary = code & 0xFF
        if [SQLITE_CORRUPT, SQLITE_NOTADB].contains(primary) {
            self.init(
                code: "projection-damaged",
                message: "the projections are damaged (\(what)); `projector rebuild` makes new ones")
            return
        }
        self.init(
            code: "sqlite-\(primary)", message: "the projection database refused \"\(sql.prefix(80))\": \(what)",
            isRetriable: [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_IOERR].contains(primary))
    }
}
