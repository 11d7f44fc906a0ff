import Foundation
import JSON
import Testing

/// Programs killed at the worst moment, without a pipeline around them or with it: nothing lost, nothing twice, nothing
/// left running. What happens to all of them at once, under load: `ChaosTests`.
@Suite(.serialized) struct KillTests {
    static let day = "2026-11-10"

    @Test func aCollectorKilledHalfWayIsMendedByTheNextRun() async throws {
        let oracle = try Oracle()
        try await Installation.with(sandbox: ["--fault", "slow,times=40,delay_ms=60"]) { installation in
            try await installation.connect()
            for requests in [3, 6, 9] {
                _ = try await installation.control("DELETE", "/sandbox/requests")
                let run = try installation.start("ingest-openai", ["backfill", "--from", Self.day, "--to", Self.day])
                try await eventually("\(requests) requests") {
                    let asked = try await installation.control("GET", "/sandbox/requests")
                    return run.hasEnded || (asked.array?.count ?? 0) >= requests
                }
                run.send(SIGKILL)
                _ = await run.wait()
                // Its own event-log notices that its lifeline has ended, and frees the log.
                try await eventually("the log's keeper ends") { installation.process("event-log") == nil }
            }
            try await expectExactDay(installation, oracle)
        }
    }

    @Test func aKilledSupervisorLeavesNoOrphan() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let up = try installation.start("finops", ["up"])
            try await installation.allReady()
            up.send(SIGKILL)
            _ = await up.wait()
            try await eventually("no orphan", limit: .seconds(15)) {
                installation.processes().allSatisfy { $0.pid == installation.sandbox.pid }
            }
            try await installation.run("event-log", "verify").expecting()
        }
    }

    private func expectExactDay(_ installation: Installation, _ oracle: Oracle) async throws {
        try await installation.backfill(Self.day, Self.day).expecting()
        let answer = try await installation.costs(by: "key,model", Self.day, Self.day)
        expectEqual(answer, oracle.totals(by: [.key, .model], days: 1...1), by: ["key", "model"])
        let verified = try await installation.run("event-log", "verify", "--json").expecting().json()
        #expect(verified["ok"]?.bool == true)
        let rebuilt = try await installation.run("projector", "rebuild", "--json").expecting().json()
        let again = try await installation.run("projector", "rebuild", "--json").expecting().json()
        #expect(rebuilt["digest"]?.string != nil && rebuilt["digest"] == again["digest"])
        let after = try await installation.costs(by: "key,model", Self.day, Self.day)
        #expect(after["rows"] == answer["rows"], "the rebuilt projections differ from those kept up to date")
    }
}

extension Installation {
    /// Waits until `finops status` calls every program ready and caught up.
    func allReady() async throws {
        try await eventually("every program is ready", limit: .seconds(60)) {
            let status = try await run("finops", "status", "--json")
            guard status.status == 0, let processes = try status.json()["processes"]?.array else { return false }
            return processes.count >= 4
                && processes.allSatisfy { $0["state"] == "ready" && ($0["lag_events"]?.integer ?? 0) == 0 }
        }
    }
}
