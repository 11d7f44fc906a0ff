import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Testing

/// `projector` as it is typed: a rebuild is repeatable, may be killed, and never takes an answer away.
@Suite struct ProjectorTests {
    private func rebuild(_ log: WrittenLog) async throws -> JSONValue {
        try await log.run("projector", ["rebuild", "--json"]).expecting().json()
    }

    private static func usage(_ count: Int, from first: Int = 0) -> [FinOpsEvent] {
        (first..<first + count).map { number in
            let day = Day("2026-10-01")!.advanced(by: number / 2_400)
            return ReportedEvents.recorded(
                ReportedEvents.row(
                    "\(day)T\(number / 100 % 24)", key: "key-\(number % 100)", nanos: Int64(number) * 1_001))
        }
    }

    private func generations(_ log: WrittenLog) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: log.directory.projectionsDirectory).filter {
            $0.hasSuffix(".db") && $0 != "current.db"
        }.sorted()
    }

    @Test func rebuildingTwiceGivesTheSameBytesAsFollowingDid() async throws {
        try await WrittenLog.with { log in
            for start in stride(from: 0, to: 3_000, by: 1_000) {
                try log.append(Self.usage(1_000, from: start))
                try await log.run("projector", ["catch-up"]).expecting()
            }
            let first = try await rebuild(log)
            let second = try await rebuild(log)
            #expect(first["digest"]?.string?.count == 64)
            #expect(first["digest"] == second["digest"])
            #expect(first["position"]?.integer == 3_000 && first["halted_at"] == .null)
            let followed = try await log.run("projector", ["catch-up", "--json"]).expecting().json()
            #expect(followed["position"]?.integer == 3_000)
        }
    }

    @Test func aRebuildKilledHalfWayLeavesTheOldAnswersAndIsDoneAnew() async throws {
        try await WrittenLog.with { log in
            try log.append(Self.usage(15_000))
            let before = try await rebuild(log)
            let costs = try await log.answer("costs --by key --from 2026-10-01")
            for _ in 0..<3 {
                let known = try generations(log)
                let running = try log.start("projector", ["rebuild"])
                try await eventually("a new generation is being built") {
                    try running.hasEnded || generations(log) != known
                }
                running.send(SIGKILL)
                _ = await running.wait()
                let answer = try await log.answer("costs --by key --from 2026-10-01")
                #expect(answer["rows"] == costs["rows"] && answer["as_of"] == costs["as_of"])
            }
            let after = try await rebuild(log)
            #expect(after["digest"] == before["digest"])
            #expect(try generations(log).count == 1, "what the killed ones left is gone")
        }
    }

    @Test func anEventThatCannotBeAppliedStopsItWithItsPositionAndTheRemedy() async throws {
        try await WrittenLog.with { log in
            var impossible = ReportedEvents.row("2026-11-20T16", key: "key-a", nanos: 1)
            impossible.bucketEnd = 0
            try log.append(Self.usage(10) + [ReportedEvents.recorded(impossible)] + Self.usage(10, from: 10))
            let result = try await log.run("projector", ["rebuild"])
            #expect(result.status == 1)
            #expect(result.standardError.contains("position 11") && result.standardError.contains("dead-letters skip"))
            let answer = try await log.answer("costs --from 2026-10-01")
            #expect(answer["freshness"]?["halted"]?["position"]?.integer == 11)
            #expect(answer["stale"]?.bool == true && answer["as_of"]?["position"]?.integer == 10)
        }
    }

    @Test func aDirectoryThatIsNoneIsRefusedWithTheCommandThatMakesIt() async throws {
        try await WrittenLog.with { log in
            let nowhere = log.root.appending(path: "nowhere").path
            let child = try RunningProgram("projector", ["rebuild", "--dir", nowhere], scratch: log.root)
            let result = await child.wait()
            #expect(result.status == 1 && result.standardError.contains("finops init --dir"))
        }
    }
}
