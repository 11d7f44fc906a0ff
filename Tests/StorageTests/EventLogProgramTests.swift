import EventLog
import Foundation
import Storage
import TestSupport
import Testing

/// The commands of `event-log`, run as a person would.
@Suite struct EventLogProgramTests {
    /// A state directory with a filled log.
    private func withState(filled: Bool = true, _ body: (String, LogUnderTest) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let log = try makeState(directory)
            if filled { try log.fill() }
            try await body(directory, log)
        }
    }

    private func run(_ arguments: String..., in directory: String, input: String? = nil) async throws -> ProgramAnswer {
        try await ProgramUnderTest(
            "event-log", arguments + ["--dir", directory], scratch: directory, input: input ?? ""
        ).wait()
    }

    /// Another initialised state directory, without a log.
    private func makeState(_ path: String) throws -> LogUnderTest {
        let log = LogUnderTest(directory: path + "/log")
        try FileManager.default.createDirectory(
            atPath: log.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return log
    }

    @Test func verifyAnswersInItsDocumentedWords() async throws {
        try await withState { directory, log in
            let head = try LogVerifier.verify(files: log.files).head.hash.map { String(format: "%02x", $0) }.joined()
            let sound = try await run("verify", "--json", in: directory)
            #expect(sound.status == 0)
            #expect(sound.output == "{\"ok\":true,\"events\":240,\"head\":\"\(head)\"}\n")
            var bytes = try log.bytes(of: log.files.database)
            let first = try #require(try log.events().first { $0.stream == "sample-3" }).position
            for at in bytes.offsets(of: "sample-3") { bytes[at + 7] ^= 0x04 }
            try log.write(bytes, to: log.files.database)
            let damaged = try await run("verify", "--json", in: directory)
            #expect(damaged.status == 3)
            #expect(
                damaged.output.hasPrefix(
                    "{\"ok\":false,\"events\":\(first.value - 1),\"first_bad_position\":\(first),\"reason\":"))
        }
    }

    @Test func aStateDirectoryWithoutEventsIsAnEmptyLog() async throws {
        try await withState(filled: false) { directory, _ in
            let hash = String(repeating: "0", count: 64)
            let answers = [
                ("verify", "{\"ok\":true,\"events\":0,\"head\":\"\(hash)\"}\n"), ("ls", "[]\n"), ("view", "[]\n"),
                ("gaps", "[]\n"), ("tail", ""), ("export", ""),
            ]
            for (command, expected) in answers {
                let answer = try await run(command, "--json", in: directory)
                #expect(answer.status == 0, "\(command): \(answer.messages)")
                #expect(answer.output == expected)
            }
            let stats = try #require(try await run("stats", "--json", in: directory).json() as? [String: Any])
            #expect(stats["events"] as? Int == 0)
            #expect(stats["first_recorded"] is NSNull)
            let get = try await run("get", "1", in: directory)
            #expect(get.status == 1)
            #expect(get.messages.contains("there is no event at position 1; the log ends at 0"))
            let backup = try await run("backup", directory + "/copy.db", in: directory)
            #expect(backup.status == 75)
            #expect(backup.messages.contains("there is no log"))
        }
    }

    @Test func aDirectoryThatWasNeverInitialisedIsNamedWithWhatMakesOne() async throws {
        try await withTemporaryDirectory { directory in
            let answer = try await run("ls", in: directory)
            #expect(answer.status == 1)
            #expect(answer.messages.contains("finops init --dir \(directory)"))
        }
    }

    @Test func whatIsExportedImportsAsTheSameLog() async throws {
        try await withState { directory, log in
            let export = try await run("export", "--format", "cloudevents", in: directory)
            #expect(export.status == 0)
            #expect(export.lines.count == 240)
            try withKnownShape(of: export.lines[0])
            let other = try makeState(directory + "/other")
            let imported = try await run("import", "--json", in: directory + "/other", input: export.output)
            #expect(imported.status == 0, "\(imported.messages)")
            #expect(try other.events() == log.events())
            #expect(try LogVerifier.verify(files: other.files) == LogVerifier.verify(files: log.files))
            // Again changes nothing.
            let again = try await run("import", "--json", in: directory + "/other", input: export.output)
            let told = try #require(try again.json() as? [String: Any])
            #expect(told["events"] as? Int == 240)
            #expect(told["imported"] as? Int == 0)
        }
    }

    @Test func anImportGoesOnWhereTheLogEnds() async throws {
        try await withState { directory, log in
            let other = try makeState(directory + "/other")
            let lines = try await run("export", in: directory).lines.map { $0 + "\n" }
            #expect(try await run("import", in: directory + "/other", input: lines[..<100].joined()).status == 0)
            #expect(try other.events().count == 100)
            #expect(try await run("import", in: directory + "/other", input: lines[50...].joined()).status == 0)
            #expect(try LogVerifier.verify(files: other.files) == LogVerifier.verify(files: log.files))
        }
    }

    private func withKnownShape(of line: String) throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["specversion"] as? String == "1.0")
        #expect(object["type"] as? String == "io.finops.sample.odd.v1")
        #expect(object["sequence"] as? String == "00000000000000000001")
        #expect(object["time"] as? String == "2026-09-21T14:13:20.000000Z")
        #expect(
            object.keys.allSatisfy {
                $0 == "data_base64" || $0.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789".contains($0) }
            })
    }

    @Test(arguments: ["changed", "cut", "missing", "text"])
    func aLineThatCannotBeImportedIsNamed(_ damage: String) async throws {
        try await withState { directory, _ in
            var lines = try await run("export", in: directory).lines
            switch damage {
            case "changed": lines[6] = lines[6].replacingOccurrences(of: "\"sample-1\"", with: "\"sample-X\"")
            case "cut": lines[6] = String(lines[6].prefix(lines[6].utf8.count / 2))
            case "missing": lines.remove(at: 6)
            default: lines[6] = "not an event"
            }
            _ = try makeState(directory + "/other")
            let refused = try await run(
                "import", in: directory + "/other", input: lines.joined(separator: "\n"))
            #expect(refused.status == 1)
            #expect(refused.messages.contains("line 7 of standard input: "), "\(refused.messages)")
            let verified = try await run("verify", "--json", in: directory + "/other")
            #expect(verified.output.hasPrefix("{\"ok\":true,\"events\":0,"))
        }
    }

    @Test func eventsAreListedFilteredAndShown() async throws {
        try await withState { directory, log in
            let events = try log.events()
            func positions(_ arguments: String...) async throws -> [Int] {
                let answer = try await ProgramUnderTest(
                    "event-log", arguments + ["--json", "--dir", directory], scratch: directory, input: ""
                ).wait()
                #expect(answer.status == 0, "\(answer.messages)")
                if arguments[0] == "view" {
                    return (try answer.json() as? [[String: Any]] ?? []).compactMap { $0["position"] as? Int }
                }
                return try answer.lines.compactMap {
                    (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["position"] as? Int
                }
            }
            func expected(_ isAdmitted: (RecordedEvent) -> Bool) -> [Int] {
                events.filter(isAdmitted).map { Int($0.position.value) }
            }
            #expect(try await positions("view", "--limit", "500") == Array(1...240))
            #expect(try await positions("view") == Array(1...100))
            #expect(try await positions("view", "--after", "10", "--before", "15") == Array(11...14))
            #expect(
                try await positions("view", "--type", "sample.odd", "--after", "10", "--limit", "5")
                    == Array(expected { $0.type == "sample.odd" && $0.position > Position(10) }.prefix(5)))
            #expect(
                try await positions("view", "--stream", "sample-2", "--type", "sample.odd", "--type", "sample.happened")
                    == expected { $0.stream == "sample-2" })
            let (since, until) = (events[40].recorded, events[200].recorded)
            #expect(
                try await positions(
                    "view", "--since", rfc3339(since), "--until", rfc3339(until), "--limit", "500")
                    == expected { $0.recorded >= since && $0.recorded < until })
            let correlation = try #require(events.compactMap(\.event.correlation).first)
            #expect(
                try await positions("view", "--correlation", "\(correlation)")
                    == expected { $0.event.correlation == correlation })
            #expect(
                try await positions("tail", "-n", "3", "--stream", "sample-2")
                    == expected { $0.stream == "sample-2" }.suffix(3))
            #expect(try await positions("tail", "--after", "235") == Array(236...240))
            let get = try #require(try await run("get", "7", "--json", in: directory).json() as? [String: Any])
            #expect(get["position"] as? Int == 7)
            #expect(get["stream"] as? String == events[6].stream.text)
            #expect((get["hash"] as? String)?.count == 64)
            let streams = try await run("ls", "--json", in: directory).json() as? [[String: Any]]
            #expect(streams?.count == 12)
            #expect(streams?.compactMap { $0["version"] as? Int }.reduce(0, +) == 240)
            let some = try await run("ls", "--prefix", "sample-1", "--limit", "2", "--json", in: directory).json()
            #expect((some as? [[String: Any]])?.compactMap { $0["stream"] as? String } == ["sample-1", "sample-10"])
            let stats = try #require(try await run("stats", "--json", in: directory).json() as? [String: Any])
            #expect(stats["events"] as? Int == 240)
            #expect(stats["streams"] as? Int == 12)
            #expect((stats["types"] as? [[String: Any]])?.count == 2)
        }
    }

    private func rfc3339(_ time: Timestamp) -> String {
        let date = Date(timeIntervalSince1970: Double(time.microseconds / 1_000_000))
        let fraction = String(1_000_000 + time.microseconds % 1_000_000).dropFirst()
        return date.formatted(.iso8601.timeZoneSeparator(.omitted)).dropLast() + ".\(fraction)Z"
    }

    @Test(arguments: [
        (["get", "241"], 1, "there is no event at position 241; the log ends at 240"),
        (["get", "first"], 64, "first"), (["view", "--since", "yesterday"], 64, "yesterday is neither a time"),
        (["tail", "--correlation", "17"], 64, "17 is not an id (UUID)"), (["view", "--limit", "0"], 64, "--limit 0"),
        (["tail", "-n=-1"], 64, "cannot be negative"), (["view", "--after", "-1"], 64, "--after"),
        (["import", "/no/such/file"], 1, "cannot read /no/such/file: No such file"),
        (["restore", "/no/such/file"], 1, "there is no file /no/such/file"),
        (["export", "--format", "xml"], 64, "xml"),
    ])
    func whatCannotBeDoneSaysWhy(_ arguments: [String], _ status: Int32, _ text: String) async throws {
        try await withState { directory, _ in
            let answer = try await ProgramUnderTest(
                "event-log", arguments + ["--dir", directory], scratch: directory, input: ""
            ).wait()
            #expect(answer.status == status)
            #expect(answer.messages.contains(text), "\(answer.messages)")
            #expect(answer.output.isEmpty)
        }
    }

    @Test func aMissingRowIsAGap() async throws {
        try await withState { directory, log in
            #expect(try await run("gaps", in: directory).status == 0)
            #expect(log.execute("DROP TRIGGER events_delete; DELETE FROM events WHERE position IN (17, 18)") == nil)
            let gaps = try await run("gaps", "--json", in: directory)
            #expect(gaps.status == 3)
            let first = try #require((try gaps.json() as? [[String: Any]])?.first)
            #expect(first["stream"] is NSNull)
            #expect(first["first_missing"] as? Int == 17)
            #expect(first["last_missing"] as? Int == 18)
            let verified = try await run("verify", "--json", in: directory)
            #expect(verified.status == 3)
            #expect(verified.output.contains("\"first_bad_position\":17,"))
        }
    }

    @Test func aBackupIsRestoredIntoAnotherStateDirectory() async throws {
        try await withState { directory, log in
            #expect(try await run("backup", directory + "/copy.db", in: directory).status == 0)
            let again = try await run("backup", directory + "/copy.db", in: directory)
            #expect(again.status == 1)
            #expect(again.messages.contains("exists already"))
            let other = try makeState(directory + "/other")
            let restored = try await run(
                "restore", "--verify", "--json", directory + "/copy.db", in: directory + "/other")
            #expect(restored.status == 0, "\(restored.messages)")
            #expect(restored.output.hasPrefix("{\"ok\":true,\"events\":240,"))
            #expect(try other.events() == log.events())
            let full = try await run("restore", directory + "/copy.db", in: directory)
            #expect(full.status == 1)
            #expect(full.messages.contains("--replace"))
        }
    }

    @Test func aDamagedBackupIsRefusedAndNothingIsChanged() async throws {
        try await withState { directory, log in
            let copy = directory + "/copy.db"
            #expect(try await run("backup", copy, in: directory).status == 0)
            var bytes = try log.bytes(of: copy)
            let at = try #require(bytes.offsets(of: "sample-3").first)
            bytes[at + 7] ^= 0x04
            try log.write(bytes, to: copy)
            _ = try makeState(directory + "/other")
            let refused = try await run("restore", "--verify", "--json", copy, in: directory + "/other")
            #expect(refused.status == 3)
            #expect(refused.output.hasPrefix("{\"ok\":false,"))
            #expect(try await run("ls", "--json", in: directory + "/other").output == "[]\n")
        }
    }
}
