import Foundation

/// A folder of its own for one test; it and everything in it is gone afterwards.
package func withTemporaryDirectory<Value>(
    isolation: isolated (any Actor)? = #isolation, _ body: (_ path: String) async throws -> Value
) async throws -> Value {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("finops-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer {
        // Nothing depends on it: the system clears its temporary folder as well.
        try? FileManager.default.removeItem(at: url)
    }
    return try await body(url.path)
}
