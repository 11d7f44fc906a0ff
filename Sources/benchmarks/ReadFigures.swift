import CLimits
import EventLog
import Foundation
import Runtime
import Storage

enum ReadFigures {
    /// Another program reads the whole log, envelopes decoded, beside a C scan of the same file.
    static func catchUp(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(2_000_000)
        let directory = StateDirectory(path: bench.fresh("log").path)
        try await BulkFill.write(events: events, to: directory.path)
        let file = directory.logDatabase
        let samples = try await bench.alternate {
            var rows: Int64 = 0
            let taken = try checked(limit_scan(file, "SELECT * FROM events", &rows), "the C scan")
            return Double(rows) / taken
        } ours: {
            let output = try await captureOutput(of: ["reader-child", "--file", file])
            guard let taken = Double(output.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                throw UnexpectedOutput(text: output)
            }
            return Double(events) / taken
        }
        return [
            Result(
                figure: "catch-up read by another program, envelopes decoded", value: samples.ours, unit: "events/s",
                limit: samples.limit, bound: .ratioAtLeast(0.2))
        ]
    }
}

struct UnexpectedOutput: Error { let text: String }

/// The standard output of a program that must succeed; without a path, of this one.
func captureOutput(of arguments: [String], program: String? = nil) async throws -> String {
    let file = FileManager.default.temporaryDirectory.appending(path: "finops-bench-output-\(UUID().uuidString)")
    guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
        throw SystemError("make \(file.path)")
    }
    defer { unlink(file.path) }
    let handle = try FileHandle(forWritingTo: file)
    let path = try program ?? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let child = try ChildProcess(.init(path: path, arguments: arguments, standardOutput: handle.fileDescriptor))
    let exit = await child.waitForExit()
    try handle.close()
    let output = try String(contentsOf: file, encoding: .utf8)
    guard exit.isSuccess else { throw UnexpectedOutput(text: "\(path) \(arguments): \(exit)\n\(output)") }
    return output
}
