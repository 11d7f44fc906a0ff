import CSQLite
import Digest

/// "The same projections": a SHA-256 over every table in the order of its key, value by value. Two files of the same
/// content differ in their headers, so files cannot be compared.
package enum ProjectionDigest {
    /// - Throws: `ProjectionFailure` if the generation cannot be read.
    package static func hex(ofGeneration path: String) throws -> String {
        let connection = try Connection.forReading(path)
        try connection.execute("BEGIN")
        defer { try? connection.execute("COMMIT") }  // Nothing was written.
        return try hex(connection.handle)
    }

    private static func hex(_ connection: OpaquePointer) throws(ProjectionFailure) -> String {
        var hash = SHA256()
        var bytes: [UInt8] = []
        for (table, order) in ProjectionSchema.dumped {
            bytes.append(contentsOf: Array("\(table)\n".utf8))
            let query = try Statement(connection, "SELECT * FROM \(table) ORDER BY \(order)")
            while try query.step() {
                for column in 0..<query.columnCount { append(query, column, to: &bytes) }
                if bytes.count > 1 << 16 {
                    hash.update(bytes)
                    bytes.removeAll(keepingCapacity: true)
                }
            }
        }
        hash.update(bytes)
        return hexText(hash.finish())
    }

    /// The storage class, then the value: integers in eight bytes, texts and blobs behind their length.
    private static func append(_ row: Statement, _ column: Int32, to bytes: inout [UInt8]) {
        let type = row.type(of: column)
        bytes.append(UInt8(truncatingIfNeeded: type))
        switch type {
        case SQLITE_NULL: return
        case SQLITE_INTEGER: append(row.integer(column), to: &bytes)
        default:
            let value = row.blob(column)
            append(Int64(value.count), to: &bytes)
            bytes.append(contentsOf: value)
        }
    }

    private static func append(_ value: Int64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
