import Foundation
import JSON
import Testing

/// The product's main job with the real programs: collect, keep, attribute, show, exact against the trace.
@Suite(.serialized) struct MainJobTests {
    static let week = ("2026-11-09", "2026-11-15")

    @Test func aWeekOfRealUsageIsExactByTeamAndModel() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.mapEverything()
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let answer = try await installation.costs(by: "team,model", Self.week.0, Self.week.1)
            expectEqual(answer, oracle.totals(by: [.team, .model]), by: ["team", "model"])
            #expect(answer["zone"]?.string == "Asia/Seoul")
            #expect(answer["currency"]?.string == "USD")
            let days = try await installation.costs(by: "day,key", Self.week.0, Self.week.1)
            expectEqual(days, oracle.totals(by: [.day, .key]), by: ["day", "key"])
            let again = try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let repeated = try await installation.costs(by: "team,model", Self.week.0, Self.week.1)
            #expect(repeated["rows"] == answer["rows"], "a repeated backfill changed figures: \(again.standardError)")
            try await verifyAndRebuild(installation)
        }
    }

    /// The log verifies, exports, and gives the same projections when they are built anew, twice.
    private func verifyAndRebuild(_ installation: Installation) async throws {
        let verified = try await installation.run("event-log", "verify", "--json").expecting().json()
        #expect(verified["ok"]?.bool == true)
        let export = try await installation.run("event-log", "export", "--format", "cloudevents").expecting()
        let lines = export.standardOutput.split(separator: "\n")
        #expect(Int64(lines.count) == verified["events"]?.integer)
        for line in lines.prefix(50) { #expect(try JSONValue.parse(String(line))["specversion"]?.string == "1.0") }
        let first = try await installation.run("projector", "rebuild", "--json").expecting().json()
        let second = try await installation.run("projector", "rebuild", "--json").expecting().json()
        #expect(first["digest"]?.string != nil)
        #expect(first["digest"] == second["digest"])
        for file in try installation.filesHolding(Installation.adminKey) { Issue.record("\(file) holds the secret") }
        #expect(!export.standardOutput.contains(Installation.adminKey))
    }

    @Test func aLateMappingAttributesWhatWasCollectedBefore() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            let before = try await installation.costs(by: "team", "2026-11-10", "2026-11-10")
            #expect(before["rows"]?.array?.map { $0["team"] } == [.null])
            try await installation.mapEverything()
            let after = try await installation.costs(by: "team,project", "2026-11-10", "2026-11-10")
            expectEqual(after, oracle.totals(by: [.team, .project], days: 1...1), by: ["team", "project"])
        }
    }

    @Test func aRestatedDayFollowsTheNewestStatement() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            _ = try await installation.control("PUT", "/sandbox/clock", ["now": "2026-11-12T00:00:00Z"])
            try await installation.backfill("2026-11-11", "2026-11-11").expecting()
            let first = try await installation.costs(by: "model", "2026-11-11", "2026-11-11")
            expectEqual(first, oracle.totals(by: [.model], days: 2...2, withoutLate: true), by: ["model"])
            _ = try await installation.control("PUT", "/sandbox/clock", ["now": "2026-11-14T00:00:00Z"])
            try await installation.backfill("2026-11-11", "2026-11-11").expecting()
            let second = try await installation.costs(by: "model", "2026-11-11", "2026-11-11")
            expectEqual(second, oracle.totals(by: [.model], days: 2...2), by: ["model"])
        }
    }

    /// The Sundays on which New York's clocks change lie in these weeks.
    @Test(arguments: ["2026-03-02", "2026-10-26"])
    func aDayOf23Or25HoursIsWhole(_ monday: String) async throws {
        try await Installation.with(sandbox: ["--week", monday]) { installation in
            var installation = installation
            installation.environment = ["FINOPS_ZONE": "America/New_York"]
            try await installation.connect()
            let (from, to) = monday == "2026-03-02" ? ("2026-03-01", "2026-03-08") : ("2026-10-25", "2026-11-01")
            try await installation.backfill(from, to).expecting()
            let answer = try await installation.costs(by: "day,model", from, to)
            #expect(answer["zone"]?.string == "America/New_York")
            let expected = try await installation.control(
                "GET", "/sandbox/expected?from=\(from)&to=\(to)&by=day,model&zone=America/New_York")
            let rows = (expected["rows"]?.array ?? []).map { row in
                ([row["day"]?.string, row["model"]?.string], Oracle.Totals(row))
            }
            #expect(!rows.isEmpty)
            expectEqual(answer, Dictionary(rows) { $1 }, by: ["day", "model"])
        }
    }

    @Test func theOlderInterfaceGivesTheSameTokens() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            try await installation.run(
                "finops", "connect", "openai", "--name", "acme", "--base-url", installation.address, "--key-file",
                installation.root.appending(path: "key").path, "--api", "legacy"
            ).expecting()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            let answer = try await installation.costs(by: "key,model", "2026-11-10", "2026-11-10")
            // It tells neither batch nor tier, so costs differ; tokens and requests may not.
            let expected = oracle.totals(by: [.key, .model], days: 1...1).mapValues(\.withoutCost)
            let found = (answer["rows"]?.array ?? []).map { row in
                ([row["key"]?.string, row["model"]?.string], Oracle.Totals(row).withoutCost)
            }
            #expect(Dictionary(found) { $1 } == expected)
        }
    }
}
