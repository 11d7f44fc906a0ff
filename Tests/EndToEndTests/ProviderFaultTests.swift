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

    @Test func whatPassesByItselfDoesNotHideWhatDoesNot() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let vault = URL(filePath: installation.directory + "/vault")
            func secrets() throws -> Set<String> {
                Set(try FileManager.default.contentsOfDirectory(atPath: vault.path).filter { $0.hasSuffix(".json") })
            }
            let before = try secrets()
            try await installation.run(
                "finops", "connect", "openai", "--name", "lost", "--base-url", installation.address, "--key-file",
                installation.root.appending(path: "key").path
            ).expecting()
            let added = try secrets().subtracting(before)
            try #require(added.count == 1)
            for name in added { try FileManager.default.removeItem(at: vault.appending(path: name)) }
            installation.sandbox.send(SIGKILL)
            _ = await installation.sandbox.wait()
            let failed = try await installation.backfill("2026-11-10", "2026-11-10").expecting(1)
            #expect(failed.standardError.contains("acme: ") && failed.standardError.contains("lost: "))
        }
    }

    @Test func aLedgerEntryThatNobodyCanReadIsKeptAndTold() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let ledger = installation.directory + "/run/collections"
            try FileManager.default.createDirectory(atPath: ledger, withIntermediateDirectories: true)
            try Data("{ half".utf8).write(to: URL(filePath: ledger + "/garbled"))
            try Data().write(to: URL(filePath: ledger + "/empty"))
            let run = try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(run.standardError.contains("garbled"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: ledger) == ["garbled.damaged"])
            let again = try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(!again.standardError.contains("garbled"))
        }
    }
}
