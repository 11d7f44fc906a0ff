import EventLog
import Foundation
import Storage
import TestSupport
import Testing

/// The commands of `event-log`, run as a person would.
@Suite struct EventLogProgramTests {
    struct Answer {
        let status: Int32
        let output: String
        let message: String
    }

    /// A state directory with a filled log.
    private func withState(filled: Bool = true, _ body: (String, LogUnderTest) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let log = LogUnderTest(directory: directory + "/log")
            try FileManager.default.createDirectory(
                atPath: log.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            if filled { try log.fill() }
            try body(directory, log)
        }
    }

    private func run(_ arguments: String..., in directory: String, input: String? = nil) throws -> Answer {
        let process = Process()
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "event-log")
        process.executableURL = program
        process.arguments = arguments + ["--dir", directory]
        // Files, not pipes: nothing here waits for a reader.
        let scratch = directory + "/answer-\(UUID().uuidString)"
        for ending in [".out", ".err"] { FileManager.default.createFile(atPath: scratch + ending, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: scratch + ".out"))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: scratch + ".err"))
        process.standardInput = FileHandle.nullDevice
        if let input {
            try Data(input.utf8).write(to: URL(filePath: scratch + ".in"))
            process.standardInput = try FileHandle(forReadingFrom: URL(filePath: scratch + ".in"))
        }
        try process.run()
        process.waitUntilExit()
        func text(_ ending: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(filePath: scratch + ending)), as: UTF8.self)
        }
        return Answer(status: process.terminationStatus, output: try text(".out"), message: try text(".err"))
    }

    @Test func verifyAnswersInItsDocumentedWords() async throws {
        try await withState { directory, log in
            let head = try LogVerifier.verify(files: log.files).head.hash.map { String(format: "%02x", $0) }.joined()
            let sound = try run("verify", "--json", in: directory)
            #expect(sound.status == 0)
            #expect(sound.output == "{\"ok\":true,\"events\":240,\"head\":\"\(head)\"}\n")
            var bytes = try log.bytes(of: log.files.database)
            let first = try #require(try log.events().first { $0.stream == "sample-3" }).position
            for at in bytes.offsets(of: "sample-3") { bytes[at + 7] ^= 0x04 }
            try log.write(bytes, to: log.files.database)
            let damaged = try run("verify", "--json", in: directory)
            #expect(damaged.status == 3)
            #expect(
                damaged.output.hasPrefix(
                    "{\"ok\":false,\"events\":\(first.value - 1),\"first_bad_position\":\(first),\"reason\":"))
        }
    }

    @Test func aStateDirectoryWithoutEventsIsAnEmptyLog() async throws {
        try await withState(filled: false) { directory, _ in
            #expect(try run("verify", "--json", in: directory).output.hasPrefix("{\"ok\":true,\"events\":0,"))
            #expect(try run("ls", "--json", in: directory).output == "[]\n")
            #expect(try run("export", in: directory).output.isEmpty)
            #expect(try run("gaps", "--json", in: directory).status == 0)
        }
    }

    @Test func whatIsExportedImportsAsTheSameLog() async throws {
        try await withState { directory, log in
            let export = try run("export", "--format", "cloudevents", in: directory)
            #expect(export.status == 0)
            #expect(export.output.split(separator: "\n").count == 240)
            try withKnownShape(of: String(export.output.prefix { $0 != "\n" }))
            let other = LogUnderTest(directory: directory + "/other/log")
            try FileManager.default.createDirectory(
                atPath: other.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let imported = try run("import", "--json", in: directory + "/other", input: export.output)
            #expect(imported.status == 0, "\(imported.message)")
            #expect(try other.events() == log.events())
            #expect(try LogVerifier.verify(files: other.files) == LogVerifier.verify(files: log.files))
            #expect(try run("import", in: directory + "/other", input: export.output).status == 1)
        }
    }

    private func withKnownShape(of line: String) throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["specversion"] as? String == "1.0")
        #expect(object["type"] as? String == "io.finops.sample.odd.v1")
        #expect(object["sequence"] as? String == "00000000000000000001")
        #expect(object["time"] as? String == "2026-09-21T13:33:20.000000Z")
        #expect(
            object.keys.allSatisfy {
                $0 == "data_base64" || $0.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789".contains($0) }
            })
    }

    @Test func anImportThatWasTamperedWithIsRefused() async throws {
        try await withState { directory, log in
            let lines = try run("export", in: directory).output.replacingOccurrences(of: "sample-5", with: "sample-X")
            let other = directory + "/other"
            try FileManager.default.createDirectory(
                atPath: other + "/log", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let refused = try run("import", in: other, input: lines)
            #expect(refused.status == 1)
            #expect(refused.message.contains("import-refused"))
            #expect(try run("verify", "--json", in: other).output.hasPrefix("{\"ok\":true,\"events\":0,"))
        }
    }

    @Test func eventsAreListedFilteredAndShown() async throws {
        try await withState { directory, log in
            let events = try log.events()
            let streams = try run("ls", "--json", in: directory).output
            #expect(streams.components(separatedBy: "\"stream\"").count == 13)
            let odd = try run("view", "--type", "sample.odd", "--after", "10", "--limit", "5", "--json", in: directory)
            let expected = events.filter { $0.type == "sample.odd" && $0.position > Position(10) }.prefix(5)
            #expect(
                odd.output.components(separatedBy: "\"position\": ").dropFirst().map { Int($0.prefix { $0.isNumber }) }
                    == expected.map { Int($0.position.value) })
            let tail = try run("tail", "-n", "3", "--stream", "sample-2", "--json", in: directory).output
            #expect(tail.split(separator: "\n").count == 3)
            #expect(tail.contains("\"position\":\(events.last { $0.stream == "sample-2" }!.position)"))
            let correlation = try #require(events[5].event.correlation ?? events.compactMap(\.event.correlation).first)
            let correlated = try run("view", "--correlation", "\(correlation)", "--json", in: directory).output
            #expect(
                correlated.components(separatedBy: "\"position\"").count == events.filter {
                    $0.event.correlation == correlation
                }.count + 1)
            #expect(try run("get", "7", in: directory).output.contains("\"position\": 7,"))
            #expect(try run("get", "241", in: directory).status == 1)
            #expect(try run("stats", "--json", in: directory).output.contains("\"events\": 240"))
            #expect(try run("view", "--since", "yesterday", in: directory).status == 64)
        }
    }

    @Test func aBackupIsRestoredIntoAnotherStateDirectory() async throws {
        try await withState { directory, log in
            #expect(try run("backup", directory + "/copy.db", in: directory).status == 0)
            let other = LogUnderTest(directory: directory + "/other/log")
            try FileManager.default.createDirectory(
                atPath: other.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let restored = try run("restore", "--verify", "--json", directory + "/copy.db", in: directory + "/other")
            #expect(restored.status == 0, "\(restored.message)")
            #expect(restored.output.hasPrefix("{\"ok\":true,\"events\":240,"))
            #expect(try other.events() == log.events())
        }
    }
}
