import ArgumentParser
import Digest
import EventLog
import JSON
import Runtime
import Storage

struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copies the log into one file, as of one moment, while it goes on.",
        discussion: "Example: event-log backup /backup/events-2026-11-20.db")

    @Argument(help: "File to make; nothing may be there.") var file: String
    @OptionGroup var options: GlobalOptions

    func run() throws {
        var line = ProgressLine("backup", unit: "pages", options: options)
        let head = try LogBackup.backup(try options.logFiles(), to: file) { line.update(UInt64($0), of: UInt64($1)) }
        if options.json {
            try Output.line(
                JSONValue.object([
                    .init("file", .string(file)), .init("events", .integer(head.position.value)),
                    .init("head", .string(hexText(head.hash))),
                ]).text)
        } else {
            try Output.line("\(file): \(head.position) events, head \(hexText(head.hash))")
        }
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts a backup in the place of a missing or empty log, after checking it wholly.",
        discussion: """
            Not while event-log serve runs. Exit 3, and nothing changed, if the backup is damaged.
            Example: event-log restore --verify /backup/events-2026-11-20.db
            """)

    @Argument(help: "File made by event-log backup.") var file: String
    @Flag(help: "Check the log again in its place.") var verify = false
    @Flag(help: "Set a log that has events aside first.") var replace = false
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let files = try options.logFiles()
        guard LogFiles(database: file).exist else { throw CommandFailure(.failure, "there is no file \(file)") }
        var line = ProgressLine("restore", unit: "events", options: options)
        let found = try LogBackup.restore(file, into: files, replace: replace) { line.update($0) }
        guard found.problem == nil, verify else { return try found.report(json: options.json) }
        try LogVerifier.verify(files: files) { line.update($0) }.report(json: options.json)
    }
}
