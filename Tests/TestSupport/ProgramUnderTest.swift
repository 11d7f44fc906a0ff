import Foundation

/// How a program ended and what it said.
package struct ProgramAnswer: Sendable {
    package let status: Int32
    package let output: String
    package let messages: String

    package var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// The output read as JSON.
    package func json() throws -> Any {
        try JSONSerialization.jsonObject(with: Data(output.utf8), options: .fragmentsAllowed)
    }
}

/// One run of a program of this build, as a person would start it, with what it says in files, so that no pipe fills up.
package final class ProgramUnderTest: Sendable {
    private let process = Process()
    private let scratch: String
    private let lifeline = Pipe()
    private let exit: AsyncStream<Int32>

    package var pid: Int32 { process.processIdentifier }
    package var output: String { text(".out") }
    package var messages: String { text(".err") }
    package var isRunning: Bool { process.isRunning }

    /// - Parameters:
    ///   - shell: commands that `sh` runs before it becomes the program, in which `"$@"` is the program and its arguments.
    ///   - scratch: an existing folder for what it says.
    ///   - input: its standard input; without it a pipe that stays open until it has ended.
    package init(
        _ program: String, _ arguments: [String], shell: [String]? = nil, scratch: String, input: String? = nil
    ) throws {
        self.scratch = scratch + "/\(program)-\(UUID().uuidString)"
        let path = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: program).path
        let line = (shell ?? ["/usr/bin/env"]) + [path] + arguments
        process.executableURL = URL(filePath: line[0])
        process.arguments = Array(line.dropFirst())
        for ending in [".out", ".err"] {
            try Data().write(to: URL(filePath: self.scratch + ending))
        }
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: self.scratch + ".out"))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: self.scratch + ".err"))
        process.standardInput = lifeline
        if let input {
            try Data(input.utf8).write(to: URL(filePath: self.scratch + ".in"))
            process.standardInput = try FileHandle(forReadingFrom: URL(filePath: self.scratch + ".in"))
        }
        let (exit, told) = AsyncStream.makeStream(of: Int32.self)
        self.exit = exit
        process.terminationHandler = { process in
            told.yield(process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus)
            told.finish()
        }
        try process.run()
    }

    /// Asks it to end.
    package func terminate() { process.terminate() }

    /// As a person's Ctrl-C.
    package func interrupt() { process.interrupt() }

    /// Waits for its end; a signal's number is given negative.
    package func wait() async -> ProgramAnswer {
        var status: Int32 = 0
        for await told in exit { status = told }
        return ProgramAnswer(status: status, output: output, messages: messages)
    }

    private func text(_ ending: String) -> String {
        // What was never written says nothing.
        (try? String(contentsOfFile: scratch + ending, encoding: .utf8)) ?? ""
    }
}
