import EventLog
import FinOps
import TestSupport
import Testing

@testable import Projections

/// Differences whose cause is known, at the seed's prices: each is told as what it is, and the parts always sum.
@Suite struct ReconcileTests {
    private static let first = "2026-11-18"
    private static let last = "2026-11-20"

    /// A call at the catalogue's price.
    private static func call(
        _ name: String, at hour: String, key: String? = "key-a", tier: String = "default", input: Int64 = 1_000,
        cached: Int64 = 0, output: Int64 = 100, factor: Int64 = 1
    ) -> FinOpsEvent {
        let row = row(hour, tier: tier, input: input, cached: cached, output: output)
        return called(
            name, at: hour, providerKey: key, tier: tier, input: input, cached: cached, output: output,
            nanos: row.cost.nanos * factor)
    }

    private static func row(
        _ hour: String, key: String = "key-a", tier: String = "default", batch: Bool = false, input: Int64 = 1_000,
        cached: Int64 = 0, output: Int64 = 100, requests: Int64 = 1
    ) -> WireUsageRow {
        var row = usage(hour, key: key, input: input, output: output, nanos: 0, requests: requests)
        row.quantities.cachedInputTokens = cached
        row.serviceTier = tier
        row.batch = batch
        var pricing = UsagePricing(.seed)
        return row.priced(by: &pricing)
    }

    private func reconciliation(_ events: [FinOpsEvent]) async throws -> Reconciliation {
        let log = ScenarioLog()
        try await log.append(events)
        try await log.catchUp()
        let found = try ProjectionReader(path: log.files.current).reconciliation(
            from: Day(Self.first)!, through: Day(Self.last)!, .seed)
        for difference in found.days.flatMap({ [$0.toMetered, $0.toBilled] }).compactMap(\.self) {
            #expect(difference.amount == difference.causes.values.reduce(0, +) + difference.unexplained)
        }
        return found
    }

    private func toMetered(_ events: [FinOpsEvent]) async throws -> Difference? {
        let found = try await reconciliation(events)
        #expect(found.days.count == 1)
        return found.days.first?.toMetered
    }

    @Test func theSameQuantitiesAtTheSamePricesAreEqual() async throws {
        let difference = try await toMetered([
            Self.call("1", at: "2026-11-19T05"), recorded(Self.row("2026-11-19T05")),
        ])
        #expect(difference == Difference(amount: 0))
    }

    @Test(arguments: [
        (ReconcileTests.row("2026-11-19T05", cached: 400), DifferenceCause.cache),
        (ReconcileTests.row("2026-11-19T05", tier: "priority"), .tier),
        (ReconcileTests.row("2026-11-19T05", batch: true), .batch),
    ])
    func tokensThatMovedAreToldAsWhereTheyWent(_ row: WireUsageRow, _ cause: DifferenceCause) async throws {
        let difference = try #require(try await toMetered([Self.call("1", at: "2026-11-19T05"), recorded(row)]))
        #expect(difference.amount != 0 && difference.unexplained == 0)
        #expect(difference.causes == [cause: difference.amount])
    }

    @Test func whatOtherPricesMakeOfTheSameQuantitiesIsThePrice() async throws {
        let row = Self.row("2026-11-19T05")
        let difference = try await toMetered([Self.call("1", at: "2026-11-19T05", factor: 3), recorded(row)])
        #expect(difference?.causes == [.price: -2 * Int128(row.cost.nanos)] && difference?.unexplained == 0)
    }

    @Test func requestsThatNoGatewayMadeAreUnmeteredTraffic() async throws {
        let extra = Self.row("2026-11-19T06", input: 500, output: 50, requests: 3)
        let own = [Self.call("1", at: "2026-11-19T05"), recorded(Self.row("2026-11-19T05"))]
        let more = try await toMetered(own + [recorded(extra)])
        #expect(more?.causes == [.unmeteredTraffic: Int128(extra.cost.nanos)] && more?.unexplained == 0)
        let other = try await toMetered([recorded(Self.row("2026-11-19T05", key: "key-z"))])
        #expect(other?.causes.keys.map(\.rawValue) == ["unmetered-traffic"])
    }

    @Test func moreTokensOfTheSameRequestsAreUnexplained() async throws {
        let row = Self.row("2026-11-19T05", input: 1_500)
        let call = Self.call("1", at: "2026-11-19T05")
        let found = try await reconciliation([call, recorded(row)])
        let difference = try #require(found.days.first?.toMetered)
        #expect(difference.causes.isEmpty && difference.unexplained == difference.amount && difference.amount > 0)
        #expect(found.unexplained == difference.amount && found.whole == Int128(row.cost.nanos))
        let missing = try await reconciliation([
            Self.call("1", at: "2026-11-19T05"), recorded(Self.row("2026-11-19T05", key: "key-z")),
        ])
        #expect(missing.days.first { $0.key == "key-a" }?.toMetered?.unexplained ?? 0 < 0)
    }

    @Test func whatMovedOverMidnightIsTheDayBoundary() async throws {
        let found = try await reconciliation([
            Self.call("1", at: "2026-11-19T05"), Self.call("2", at: "2026-11-19T23", input: 700),
            Self.call("3", at: "2026-11-20T05"), recorded(Self.row("2026-11-19T05")),
            recorded(Self.row("2026-11-20T00", input: 700)), recorded(Self.row("2026-11-20T05")),
        ])
        let moved = Int128(Self.row("2026-11-20T00", input: 700).cost.nanos)
        #expect(found.days.map(\.toMetered?.causes) == [[.dayBoundary: -moved], [.dayBoundary: moved]])
        #expect(found.toMetered.causes.isEmpty && found.unexplained == 0)
        // The same in the middle of the days is not.
        let far = try await reconciliation([
            Self.call("1", at: "2026-11-19T05"), Self.call("2", at: "2026-11-19T12", input: 700),
            Self.call("3", at: "2026-11-20T05"), recorded(Self.row("2026-11-19T05")),
            recorded(Self.row("2026-11-20T12", input: 700)), recorded(Self.row("2026-11-20T05")),
        ])
        #expect(far.toMetered.causes[.dayBoundary] == nil && far.unexplained > 0)
    }

    @Test func callsThatNameNoKeyShareTheUsageOfTheirModel() async throws {
        let found = try await reconciliation([
            Self.call("1", at: "2026-11-19T05", key: nil), recorded(Self.row("2026-11-19T05", key: "key-q")),
        ])
        #expect(found.days.map(\.key) == [nil] && found.days.first?.toMetered == Difference(amount: 0))
    }

    @Test func anAccountThatIsNotCollectedIsNotCompared() async throws {
        let found = try await reconciliation([Self.call("1", at: "2026-11-19T05")])
        #expect(found.days.map(\.toMetered) == [nil] && found.days.map(\.toBilled) == [nil])
        #expect(found.estimated > 0 && found.unexplained == 0)
    }

    @Test func aBillIsHeldAgainstUsage() async throws {
        let row = Self.row("2026-11-19T05")
        let nanos = row.cost.nanos
        func billed(_ more: Int64, key: String?, model: String?) async throws -> Reconciliation {
            try await reconciliation([
                recorded(row),
                allocated(
                    day: "2026-11-19", project: "proj-1", item: nil, nanos: nanos + more,
                    parts: [("2026-11-19T05", key, model, nanos + more)]),
            ])
        }
        for (key, model) in [("key-a", "gpt-4o"), (nil, nil), ("key-a", nil)] as [(String?, String?)] {
            #expect(try await billed(0, key: key, model: model).days.map(\.toBilled) == [Difference(amount: 0)])
            #expect(try await billed(1, key: key, model: model).toBilled.causes == [.rounding: 1])
            #expect(try await billed(7_000, key: key, model: model).toBilled.unexplained == 7_000)
        }
        let fee = try await billed(0, key: "key-fee", model: "gpt-4o")
        #expect(fee.toBilled.causes == [.unmeteredTraffic: Int128(nanos)])
        #expect(fee.toBilled.unexplained == -Int128(nanos) && fee.unexplained == Int128(nanos))
    }

    @Test(arguments: UInt64(0)..<20)
    func thePartsAlwaysSumToTheDifference(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        func hour() -> String {
            "2026-11-\(Int.random(in: 18...20, using: &random))T\([0, 5, 23].randomElement(using: &random)!)"
        }
        func count() -> Int64 { .random(in: 0...2_000, using: &random) }
        let tiers = ["default", "priority", "flex"]
        var events: [FinOpsEvent] = []
        for index in 0..<30 {
            let input = count()
            events.append(
                Self.call(
                    "call-\(index)", at: hour(), key: ["key-a", nil].randomElement(using: &random)!,
                    tier: tiers.randomElement(using: &random)!, input: input,
                    cached: .random(in: 0...input, using: &random), output: count(),
                    factor: [1, 1, 2].randomElement(using: &random)!))
            let metered = count()
            events.append(
                recorded(
                    Self.row(
                        hour(), key: ["key-a", "key-b"].randomElement(using: &random)!,
                        tier: tiers.randomElement(using: &random)!, batch: Bool.random(using: &random),
                        input: metered, cached: .random(in: 0...metered, using: &random), output: count(),
                        requests: Int64.random(in: 1...9, using: &random))))
        }
        let found = try await reconciliation(events)
        #expect(found.toMetered.amount == found.metered - found.estimated, "seed \(seed)")
    }
}
