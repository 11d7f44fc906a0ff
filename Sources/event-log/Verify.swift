import ArgumentParser
import Digest
import EventLog
import JSON
import Runtime
import Storage

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Checks every bit of the log; exit 3 and the first bad position if something is not as it was written.",
        discussion: """
            Checks the hash of every row, pages and indexes, definitions, producers, and the witness.
            Example: event-log verify --dir D
            """)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let files = try options.logFiles()
        var line = ProgressLine("verify", unit: "events", options: options)
        let found = try LogVerifier.verify(files: files) { line.update($0) }
        try found.report(json: options.json)
    }
}

extension ProgressLine {
    mutating func update(_ progress: LogVerifier.Progress) {
        if case .rows(let position, let last) = progress { update(position.value, of: last.value) }
    }
}

extension LogVerification {
    /// Prints what was found.
    /// - Throws: with exit code 3 if it is a problem.
    func report(json: Bool) throws {
        var members: [JSONValue.Member] = [.init("ok", .bool(problem == nil)), .init("events", .integer(events))]
        if let problem {
            members += [
                .init("first_bad_position", .integer(problem.position.value)), .init("reason", .string(problem.reason)),
            ]
        } else {
            members.append(.init("head", .string(hexText(head.hash))))
        }
        if json { try Output.line(JSONValue.object(members).text) }
        if let problem {
            throw CommandFailure(
                .problemFound, "the log is damaged from position \(problem.position) on: \(problem.reason)")
        }
        if !json { try Output.line("ok: \(events) events, head \(hexText(head.hash))") }
    }
}
