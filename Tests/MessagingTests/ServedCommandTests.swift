import EventLog
import Foundation
import Runtime
import Storage
import TestSupport
import Testing

@testable import Messaging

/// The commands of `event-log` beside a running one.
@Suite(.serialized) struct ServedCommandTests {
    @Test func readingCommandsAnswerBesideTheWriter() async throws {
        try await ServedLog.with { log in
            try await log.append(30, to: "usage-a-2026-11-20")
            try await log.append(12, to: "usage-b-2026-11-20")
            let streams = try #require(try await log.run("ls", "--json").json() as? [[String: Any]])
            #expect(streams.compactMap { $0["version"] as? Int } == [30, 12])
            let view = try await log.run("view", "--stream", "usage-b-2026-11-20", "--after", "40", "--json").json()
            #expect((view as? [[String: Any]])?.compactMap { $0["position"] as? Int } == [41, 42])
            #expect(try await log.run("tail", "-n", "5", "--json").lines.count == 5)
            #expect((try await log.run("get", "42", "--json").json() as? [String: Any])?["version"] as? Int == 12)
            #expect((try await log.run("stats", "--json").json() as? [String: Any])?["events"] as? Int == 42)
            #expect(try await log.run("gaps", "--json").output == "[]\n")
            #expect(try await log.run("verify", "--json").output.hasPrefix("{\"ok\":true,\"events\":42,"))
            #expect(try await log.run("export").lines.count == 42)
            let copy = log.scratch + "/copy.db"
            let backup = try #require(try await log.run("backup", copy, "--json").json() as? [String: Any])
            #expect(backup["events"] as? Int == 42)
            #expect(try LogVerifier.verifyCopy(at: copy).problem == nil)
        }
    }

    @Test func writingCommandsAndASecondWriterAreTurnedAway() async throws {
        try await ServedLog.with { log in
            try await log.append(3, to: "usage-a")
            let copy = log.scratch + "/copy.db"
            #expect(try await log.run("backup", copy).status == 0)
            for arguments in [["restore", "--replace", copy], ["import", "/dev/null"], ["serve"]] {
                let answer = try await log.start(arguments, input: "").wait()
                #expect(answer.status != 0)
                #expect(answer.messages.contains("log-locked"), "\(arguments): \(answer.messages)")
            }
            #expect(try await log.append(1, to: "usage-a").last == Position(4))
        }
    }

    @Test func followingPrintsWhatComesFromBeforeTheFirstEventOn() async throws {
        try await withTemporaryDirectory { path in
            let directory = StateDirectory(path: path)
            try directory.prepare()
            func start(_ program: String, _ arguments: String...) throws -> ProgramUnderTest {
                try ProgramUnderTest(program, arguments + ["--dir", path], scratch: directory.spool)
            }
            let all = try start("event-log", "tail", "--follow", "--json")
            let some = try start(
                "event-log", "tail", "-f", "--json", "--stream", "usage-b", "--type", "usage.recorded", "--after", "3")
            let first = try start("event-log", "tail", "-f", "--json", "--before", "3")
            let server = try start("event-log", "serve", "--lifeline")
            let log = ServedLog(directory: directory, server: server)
            try await log.append(2, to: "usage-a")
            try await log.append(3, to: "usage-b")
            try await log.append(1, to: "usage-b", type: "usage.restated")
            try await eventually { all.positions == [1, 2, 3, 4, 5, 6] && some.positions == [4, 5] }
            // What ends by itself need not be interrupted.
            #expect(await first.wait().status == 0)
            #expect(first.positions == [1, 2])
            for follower in [all, some] {
                follower.interrupt()
                #expect(await follower.wait().status == 2)
            }
            server.terminate()
            #expect(await server.wait().status == 0)
        }
    }
}

extension ProgramUnderTest {
    /// Positions of the events it printed so far, one a line.
    fileprivate var positions: [Int] {
        output.split(separator: "\n").compactMap { line in
            // The last line may be only half there.
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["position"] as? Int
        }
    }
}
