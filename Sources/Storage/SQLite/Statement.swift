import CSQLite

/// A prepared statement. It keeps its connection open.
struct Statement: ~Copyable {
    private let handle: OpaquePointer
    private let connection: Connection

    init(_ sql: String, on connection: Connection) throws(SQLiteFailure) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw connection.failure("prepare \"\(sql)\"") }
        handle = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64) { require(sqlite3_bind_int64(handle, index, value)) }
    func bind(_ index: Int32, _ value: UInt64) { bind(index, Int64(bitPattern: value)) }
    func bindNull(_ index: Int32) { require(sqlite3_bind_null(handle, index)) }

    /// Binds without a copy: `bytes` must stay where they are until the statement has been stepped, and their address
    /// must not be null even when there are none (SQLite would take it for NULL).
    func bind(_ index: Int32, borrowing bytes: UnsafeRawBufferPointer) {
        require(sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), nil))
    }

    /// Binds a copy.
    func bind(_ index: Int32, _ bytes: [UInt8]) {
        require(
            bytes.withUnsafeBytes { sqlite3_bind_blob(handle, index, $0.baseAddress, Int32($0.count), Self.copied) })
    }

    /// Binds a copy.
    func bind(_ index: Int32, _ text: String) {
        var text = text
        require(
            text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    sqlite3_bind_text(handle, index, $0.baseAddress, Int32($0.count), Self.copied)
                }
            })
    }

    /// - Returns: whether there is a row.
    func step() throws(SQLiteFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let failure = connection.failure("run a statement")
            sqlite3_reset(handle)
            throw failure
        }
    }

    /// Runs a statement that gives no row, and makes it ready for the next run.
    func run() throws(SQLiteFailure) {
        _ = try step()
        reset()
    }

    func reset() { sqlite3_reset(handle) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// The bytes of a blob or a text; they are gone with the next step or reset.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }

    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    /// Binding fails for want of memory and for mistakes in this module, and for nothing that data can do.
    private func require(_ code: Int32) { precondition(code == SQLITE_OK, "a parameter binds: \(code)") }

    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}
