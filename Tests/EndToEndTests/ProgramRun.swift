import Foundation
import JSON
import Runtime
import Synchronization
import Testing

/// How a program ended and what it said.
struct ProgramResult: Sendable {
    let command: String
    let status: Int32
    let standardOutput: String
    let standardError: String

    /// - Throws: when it is not JSON; the test fails with the program's own words.
    func json() throws -> JSONValue {
        do { return try JSONValue.parse(standardOutput) } catch {
            throw Unexpected("\(command) printed no JSON (exit \(status)): \(standardOutput)\n\(standardError)")
        }
    }

    /// The result, if it ended with that status.
    @discardableResult
    func expecting(_ expected: Int32 = 0) throws -> ProgramResult {
        guard status == expected else {
            throw Unexpected("\(command): exit \(status), not \(expected)\n\(standardOutput)\n\(standardError)")
        }
        return self
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One started program of the build directory, with its output in files, so that no pipe can fill up.
final class RunningProgram: Sendable {
    private let child: ChildProcess
    private let command: String
    private let output: URL
    private let errors: URL

    var pid: Int32 { child.pid }
    var hasEnded: Bool { child.exit != nil }
    var standardErrorSoFar: String { Self.text(errors) }
    var standardOutputSoFar: String { Self.text(output) }

    /// - Parameters:
    ///   - scratch: a folder for its output.
    ///   - lifeline: whether its standard input stays open as long as this process lives.
    init(
        _ program: String, _ arguments: [String], scratch: URL, environment: [String: String] = [:],
        lifeline: Bool = false
    ) throws {
        command = ([program] + arguments).joined(separator: " ")
        let name = "\(program)-\(UUID().uuidString)"
        output = scratch.appending(path: name + ".out")
        errors = scratch.appending(path: name + ".err")
        let descriptors = [output, errors].map { open($0.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        defer { for descriptor in descriptors { close(descriptor) } }
        guard descriptors.allSatisfy({ $0 >= 0 }) else { throw Unexpected("cannot write to \(scratch.path)") }
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("FINOPS_") }
        all.merge(environment) { $1 }
        child = try ChildProcess(
            .init(
                path: try ProgramLocator.beside().path(of: program), arguments: arguments, environment: all,
                hasLifeline: lifeline, standardOutput: descriptors[0], standardError: descriptors[1]))
    }

    func send(_ signal: Int32) { child.send(signal) }

    /// Waits for its end; ends it by force after `limit`.
    func wait(limit: Duration = .seconds(120)) async -> ProgramResult {
        let watchdog = Task { [child] in
            try await Task.sleep(for: limit)
            child.send(SIGKILL)
        }
        let exit = await child.waitForExit()
        watchdog.cancel()
        let status: Int32 =
            switch exit {
            case .exited(let code): code
            case .signalled(let number): -number
            }
        return ProgramResult(
            command: command, status: status, standardOutput: Self.text(output), standardError: Self.text(errors))
    }

    private static func text(_ file: URL) -> String {
        // A file that was never written says nothing.
        (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }
}

/// Returns once the condition holds; fails the test after `limit`.
func eventually(
    _ what: @autoclosure () -> String, limit: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw Unexpected("not within \(limit): \(what())") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
