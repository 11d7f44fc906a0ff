import Foundation
import Runtime

/// A prepared state directory that is gone after the test.
func withStateDirectory<Result>(_ body: (StateDirectory) async throws -> Result) async throws -> Result {
    let name = "rt-\(UUID().uuidString.prefix(8))"
    let directory = StateDirectory(path: FileManager.default.temporaryDirectory.appending(path: name).path)
    try directory.prepare()
    let outcome: Swift.Result<Result, any Error>
    do { outcome = .success(try await body(directory)) } catch { outcome = .failure(error) }
    try FileManager.default.removeItem(atPath: directory.path)
    return try outcome.get()
}

/// Waits for a condition that another process or thread brings about.
func eventually(_ what: String, within limit: Duration = .seconds(20), _ condition: () async throws -> Bool)
    async throws
{
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NeverHappened(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Some tests start programs that are small scripts in Python.
let python3IsThere = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")

struct NeverHappened: Error { let what: String }
