import Foundation
import JSON
import Testing

/// Answers that are whole but wrong, or right but not what was said before: what counts is the newest statement, to the
/// nano-dollar.
@Suite(.serialized) struct StatementFaultTests {
    private static let week = MainJobTests.week

    /// With seven buckets on a page, so that there are pages to lose and to repeat.
    @Test(arguments: ["missing-page,times=2", "duplicate-page,times=2"])
    func pagesThatAreMissingOrComeTwiceDoNoHarm(_ fault: String) async throws {
        let oracle = try Oracle()
        try await Installation.with(sandbox: ["--page-limit", "7", "--fault", fault + ",path=completions"]) {
            installation in
            try await installation.connect()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            try await expectExactDay(installation, oracle)
        }
    }

    /// The business day touches two UTC days; the first of them has the row, and the other one stands all the same.
    @Test(arguments: ["completions", "costs"])
    func aRowThatMakesNoSenseKeepsOnlyItsDayOut(_ path: String) async throws {
        let oracle = try Oracle()
        try await Installation.with(sandbox: ["--fault", "malformed-row,times=1,path=\(path)"]) { installation in
            try await installation.connect()
            let failed = try await installation.backfill("2026-11-11", "2026-11-11").expecting(1)
            let field = path == "costs" ? "amount.currency" : "input_tokens"
            for words in ["of 2026-11-10 was left out", "bucket 2026-11-10", "row ", field] {
                #expect(failed.standardError.contains(words), "\(failed.standardError)")
            }
            let basis = path == "costs" ? "billed" : "metered"
            let partly = try await total(installation, basis)
            #expect(partly > 0)
            try await installation.backfill("2026-11-11", "2026-11-11").expecting()
            #expect(try await total(installation, basis) > partly)
            let answer = try await installation.costs(by: "key,model", "2026-11-11", "2026-11-11")
            expectEqual(answer, oracle.totals(by: [.key, .model], days: 2...2), by: ["key", "model"])
        }
    }

    private func total(_ installation: Installation, _ basis: String) async throws -> Int64 {
        let answer = try await installation.costs(by: "day", "2026-11-10", "2026-11-12", basis: basis)
        return answer["total"]?["cost_nano"]?.integer ?? -1
    }

    @Test func aRestatedWeekIsExactWheneverItIsStated() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "changed-bucket", "times": 1_000, "path": "/usage/"])
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let less = try await installation.costs(by: "day", Self.week.0, Self.week.1)
            let whole = oracle.totals(by: [.day])
            let requests = less["rows"]?.array?.map { ($0["day"]?.string, $0["requests"]?.integer ?? 0) } ?? []
            #expect(requests.count == 7)
            for (day, count) in requests { #expect(count < whole[[day]]?.requests ?? 0, "\(day ?? "no day")") }
            _ = try await installation.control("DELETE", "/sandbox/faults")
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let answer = try await installation.costs(by: "key,model", Self.week.0, Self.week.1)
            expectEqual(answer, oracle.totals(by: [.key, .model]), by: ["key", "model"])
        }
    }

    /// The sandbox's credit is −0.001000000007 USD on each UTC day, of no project and no key: a million nano-dollars.
    @Test func aCreditLowersTheBillByWhatItSays() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            let before = try await billed(installation)
            #expect(before > 0)
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "credit", "times": 1, "path": "/costs"])
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(try await billed(installation) == before - 2 * 1_000_000)
            try await expectExactDay(installation, oracle)
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(try await billed(installation) == before, "a credit that is withdrawn")
        }
    }

    @Test func aBillInAnotherCurrencyIsNeverAddedToDollars() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            let dollars = try await billed(installation)
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "currency", "times": 1, "path": "/costs"])
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(try await billed(installation) == 0)
            let other = try await installation.costs(by: "day", "2026-11-09", "2026-11-11", basis: "billed")
            #expect(other.text.contains("EUR"))
            try await expectExactDay(installation, oracle)
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            #expect(try await billed(installation) == dollars)
        }
    }

    @Test func aModelWithoutAPriceCountsOnceItHasOne() async throws {
        let oracle = try Oracle()
        let usage = oracle.totals(by: [.model])[["orion-preview"]] ?? .init()
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let prices: JSONValue = [
                "as_of": "2026-11-01",
                "models": [
                    [
                        "provider": "openai", "model": "orion-preview", "match": ["orion-preview"],
                        "prices": [["from": .null, "input": "1.00", "output": "3.00"]],
                    ]
                ],
            ]
            let file = installation.root.appending(path: "prices.json")
            try Data(prices.text.utf8).write(to: file)
            try await installation.run("finops", "price", "import", file.path).expecting()
            let answer = try await installation.costs(by: "model", Self.week.0, Self.week.1)
            let row = answer["rows"]?.array?.first { $0["model"] == "orion-preview" }
            #expect(usage.requests > 0 && row.map { Oracle.Totals($0) }?.requests == usage.requests)
            #expect(row?["cost_nano"]?.integer == Int64(usage.input * 1_000 + usage.output * 3_000))
        }
    }

    private func expectExactDay(_ installation: Installation, _ oracle: Oracle) async throws {
        let answer = try await installation.costs(by: "key,model", "2026-11-10", "2026-11-10")
        expectEqual(answer, oracle.totals(by: [.key, .model], days: 1...1), by: ["key", "model"])
    }

    /// The whole bill, in nano-dollars, of the two UTC days that the business day touches.
    private func billed(_ installation: Installation) async throws -> Int64 {
        let answer = try await installation.costs(by: "day", "2026-11-09", "2026-11-11", basis: "billed")
        return answer["total"]?["cost_nano"]?.integer ?? -1
    }
}
