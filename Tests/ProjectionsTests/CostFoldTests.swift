import EventLog
import FinOps
import Testing

@testable import Projections

@Suite struct CostFoldTests {
    @Test func usageBecomesTheCostOfItsBusinessDay() async throws {
        let log = ScenarioLog()
        // 15:00 UTC is midnight in Seoul: the second row is the next business day's.
        try await log.append([recorded(usage("2026-11-19T14", nanos: 1)), recorded(usage("2026-11-19T15", nanos: 20))])
        try await log.catchUp()
        let report = try log.query([.day], from: "2026-11-01", to: "2026-11-30")
        #expect(report.rows.map(\.dimensions) == [["2026-11-19"], ["2026-11-20"]])
        #expect(report.rows.map(\.sums.cost) == [1, 20])
        #expect(report.total.inputTokens == 200)
        #expect(try log.query(from: "2026-11-20", to: "2026-11-20").total.cost == 20)
    }

    @Test func aRestatementReplacesAndIsRememberedAsClosedOrGrown() async throws {
        let log = ScenarioLog()
        let first = usage("2026-11-19T20", input: 100, nanos: 1_000)
        let second = usage("2026-11-19T20", input: 150, nanos: 1_700)
        let grown = usage("2026-11-19T21", input: 5, nanos: 50)
        try await log.append([recorded(first), restated(second, from: first), recorded(grown)])
        try await log.append([
            restated(
                usage("2026-11-19T21", input: 9, nanos: 90), from: grown, previouslyObserved: grown.bucketStart + 60)
        ])
        try await log.catchUp()
        let total = try log.query(from: "2026-11-20", to: "2026-11-20").total
        #expect(total.cost == 1_790)
        #expect(total.inputTokens == 159)
        let restatements = try ProjectionReader(path: log.files.current).restatements(limit: 10, includingGrowth: true)
        #expect(restatements.map(\.isGrowth) == [true, false])
        #expect(restatements.map(\.difference) == [40, 700])
    }

    @Test func anUnpricedRowIsToldAndNotCounted() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", model: "new-model", input: 7, output: 3, nanos: nil)),
            recorded(usage("2026-11-19T20", nanos: 10)),
        ])
        try await log.catchUp()
        let report = try log.query([.model], from: "2026-11-20", to: "2026-11-20")
        #expect(report.rows.map(\.dimensions) == [["gpt-4o"], ["new-model"]])
        #expect(report.total.cost == 10)
        #expect(report.unpriced == UnpricedSums(rows: 1, inputTokens: 7, outputTokens: 3, requests: 1))
        var repriced = WireUsageRepriced()
        repriced.row = usage("2026-11-19T20", model: "new-model", input: 7, output: 3, nanos: 5)
        try await log.append([.usageRepriced(repriced)])
        try await log.catchUp()
        let after = try log.query([.model], from: "2026-11-20", to: "2026-11-20")
        #expect(after.total.cost == 15)
        #expect(after.unpriced == UnpricedSums())
    }

    @Test func otherCurrenciesAreListedApart() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", nanos: 10)),
            recorded(usage("2026-11-19T20", key: "key-b", nanos: 7, currency: "EUR")),
        ])
        try await log.catchUp()
        let report = try log.query(from: "2026-11-20", to: "2026-11-20")
        #expect(report.total.cost == 10)
        #expect(report.total.unconverted == ["EUR": 7])
        #expect(
            try log.query([.key], from: "2026-11-20", to: "2026-11-20").rows.map(\.sums.unconverted) == [
                [:], ["EUR": 7],
            ])
    }

    @Test(arguments: [[], [.key], [.day], [.hour], [.team, .model]] as [[CostDimension]])
    func amountsAreConvertedAtTheRateOfTheirDay(by: [CostDimension]) async throws {
        let log = ScenarioLog()
        try await log.append([
            // Business days 2026-11-18 (before any rate), -19 and -20.
            recorded(usage("2026-11-17T20", key: "key-b", nanos: 1_000, currency: "EUR")),
            recorded(usage("2026-11-18T20", key: "key-b", nanos: 1_000, currency: "EUR")),
            recorded(usage("2026-11-19T20", key: "key-b", nanos: 3, currency: "EUR")),
            recorded(usage("2026-11-19T20", nanos: 10)),
        ])
        try await log.catchUp()
        let rates = try ExchangeRates([
            .init(currency: "EUR", from: Day("2026-11-20")!, rate: DecimalText("1.5")),
            .init(currency: "EUR", from: Day("2026-11-19")!, rate: DecimalText("1.083")),
        ])
        let report = try log.query(by, from: "2026-11-01", to: "2026-11-30", rates: rates)
        // 1,000 × 1.083, and 3 × 1.5 = 4.5, rounded half-even; 10 needs no rate.
        #expect(report.total.cost == 1_083 + 4 + 10)
        #expect(report.total.unconverted == ["EUR": 1_000])
        #expect(report.converted.map(\.cost) == [1_083, 4])
        #expect(report.rows.reduce(0) { $0 + $1.sums.cost } == report.total.cost)
    }

    @Test func batchAndTierFilterLikeAnyDimension() async throws {
        let log = ScenarioLog()
        var batch = usage("2026-11-19T20", nanos: 5)
        batch.batch = true
        var untold = usage("2026-11-19T20", nanos: 7)
        untold.clearBatch()
        untold.serviceTier = "priority"
        try await log.append([recorded(batch), recorded(untold), recorded(usage("2026-11-19T20", nanos: 100))])
        try await log.catchUp()
        func cost(_ filters: [CostDimension: String], _ by: [CostDimension] = []) throws -> Int128 {
            try log.query(by, from: "2026-11-20", to: "2026-11-20", filters: filters).total.cost
        }
        for by: [CostDimension] in [[], [.hour], [.key]] {
            #expect(try cost([.batch: "true"], by) == 5)
            #expect(try cost([.batch: "none"], by) == 7)
            #expect(try cost([.batch: "false"], by) == 100)
            #expect(try cost([.tier: "priority"], by) == 7)
            #expect(try cost([.tier: "default", .batch: "false", .providerProject: "proj-1"], by) == 100)
        }
    }

    @Test func anUnpricedRowIsMarkedInItsGroup() async throws {
        let log = ScenarioLog()
        try await log.append([
            recorded(usage("2026-11-19T20", model: "new-model", nanos: nil)),
            recorded(usage("2026-11-19T20", nanos: 10)),
        ])
        try await log.catchUp()
        for by: [CostDimension] in [[.model], [.model, .hour], [.model, .key]] {
            let rows = try log.query(by, from: "2026-11-20", to: "2026-11-20").rows
            #expect(rows.map(\.sums.unpricedRows) == [0, 1])
        }
    }

    @Test(arguments: [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)])
    func aDayHasTheHoursItsZoneGivesIt(day: String, hours: Int) async throws {
        let log = ScenarioLog(zone: "America/New_York")
        let number = Day(day)!.number
        let around = [number - 1, number, number + 1].flatMap { day in (0..<24).map { (Day(number: day), $0) } }
        try await log.append(around.map { recorded(usage("\($0.0)T\($0.1)", nanos: 1)) })
        try await log.catchUp()
        #expect(try log.query([.day], from: day, to: day).total.cost == Int128(hours))
        #expect(try log.query([.hour], from: day, to: day).rows.count == hours)
    }

    @Test func sumsBeyondOneIntegerAreExact() async throws {
        let log = ScenarioLog()
        let huge = Int64.max - 3
        try await log.append((0..<20).map { recorded(usage("2026-11-19T20", key: "key-\($0)", nanos: huge)) })
        try await log.append([recorded(usage("2026-11-19T20", key: "credit", nanos: -5))])
        try await log.catchUp()
        for by: [CostDimension] in [[], [.key], [.hour]] {
            #expect(try log.query(by, from: "2026-11-20", to: "2026-11-20").total.cost == Int128(huge) * 20 - 5)
        }
    }

    @Test func everyGroupingSumsToTheSame() async throws {
        let log = ScenarioLog()
        try await log.append(
            (0..<300).map { index in
                recorded(
                    usage(
                        "2026-11-\(10 + index % 5)T\(index % 24)", key: "key-\(index % 7)", model: "model-\(index % 3)",
                        project: index % 2 == 0 ? "proj" : nil, nanos: Int64(index)))
            })
        try await log.append([assigned(key: "key-1", team: "t", project: "p", version: 1)])
        try await log.catchUp()
        let total = try log.query(from: "2026-11-01", to: "2026-11-30").total
        for dimension in CostDimension.allCases {
            let report = try log.query([dimension], from: "2026-11-01", to: "2026-11-30")
            #expect(report.total == total, "\(dimension)")
            #expect(report.rows.reduce(0) { $0 + $1.sums.cost } == total.cost, "\(dimension)")
        }
    }
}
