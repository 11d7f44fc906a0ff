import Foundation
import JSON
import Testing

/// Whatever the provider answers, the totals stay exact, or the run says that it failed and the next one mends it.
@Suite(.serialized) struct ProviderFaultTests {
    /// Faults that a run gets over by itself.
    @Test(arguments: [
        "500,times=2", "429,times=1,retry_after=1", "html,times=1", "truncated,times=1", "slow,times=1,delay_ms=500",
        "duplicate-page,times=1,path=completions", "missing-bucket,times=1,path=completions",
    ])
    func aRunGetsOver(_ fault: String) async throws {
        let oracle = try Oracle()
        try await Installation.with(sandbox: ["--fault", fault]) { installation in
            try await installation.connect()
            let run = try await installation.backfill("2026-11-10", "2026-11-10")
            try run.expecting()
            let answer = try await installation.costs(by: "key,model", "2026-11-10", "2026-11-10")
            expectEqual(answer, oracle.totals(by: [.key, .model], days: 1...1), by: ["key", "model"])
        }
    }

    /// Faults that end a run: with which exit code, and that the next run leaves nothing missing or twice.
    @Test(arguments: [
        ("401,times=100", Int32(4)), ("403,times=100", 4), ("500,times=100", 75),
        ("429,times=100,retry_after=3600", 75),
    ])
    func aRunThatFailsIsMendedByTheNext(_ fault: String, status: Int32) async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            _ = try await installation.control("POST", "/sandbox/faults", Self.fault(fault))
            let failed = try await installation.backfill("2026-11-10", "2026-11-10")
            try failed.expecting(status)
            #expect(!failed.standardError.contains(Installation.adminKey))
            _ = try await installation.control("DELETE", "/sandbox/faults")
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            let answer = try await installation.costs(by: "key,model", "2026-11-10", "2026-11-10")
            expectEqual(answer, oracle.totals(by: [.key, .model], days: 1...1), by: ["key", "model"])
            let runs = try await installation.run("reporter", "runs", "--json").expecting()
            #expect(runs.standardOutput.contains("failed"))
        }
    }

    private static func fault(_ text: String) -> JSONValue {
        let parts = text.split(separator: ",").map(String.init)
        var members: [JSONValue.Member] = [.init("kind", .string(parts[0]))]
        for part in parts.dropFirst() {
            let sides = part.split(separator: "=").map(String.init)
            members.append(.init(sides[0], Int64(sides[1]).map { .integer($0) } ?? .string(sides[1])))
        }
        return .object(members)
    }

    @Test func anotherPortNobodyListensOnIsUnreachable() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            installation.sandbox.send(SIGKILL)
            _ = await installation.sandbox.wait()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting(75)
        }
    }
}
