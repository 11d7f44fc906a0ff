import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// What a correction makes of rows and calls that have a price already.
@Suite struct CorrectionTests {
    private static let list = """
        {"provider":"openai","model":"a","match":["a","a-*"],"prices":[{"from":null,"input":"1","output":"2"}]},
        {"provider":"openai","model":"b","prices":[{"from":null,"input":"1"}]}
        """

    private func catalogue(_ input: String = "1") throws -> PriceCatalogue {
        try PriceSettingTests.catalogue(
            Self.list.replacing(#""input":"1","output""#, with: #""input":"\#(input)","output""#))
    }

    private let scope = PriceScope(provider: "openai", model: "a", from: day("2026-11-20"), through: day("2026-11-21"))

    private func call(_ id: String, model: String = "a-1", at start: Int64 = hour("2026-11-20", 5)) -> WireCallRecorded
    {
        .with {
            $0.call = id
            $0.attempt = 1
            $0.provider = "openai"
            $0.account = "acme"
            $0.kind = "completions"
            $0.model = model
            $0.quantities.requests = 1
            $0.quantities.inputTokens = 1_000
            $0.started = start * 1_000_000
        }
    }

    private func priced(_ call: WireCallRecorded, _ nanos: Int64) -> WireCallRecorded {
        var call = call
        call.cost = usd(nanos: nanos).wire
        call.priceVersion = "v1/a"
        return call
    }

    private func correcting(_ input: String) throws -> CallRepricing {
        CallRepricing(.correction(id: "correction-1", scope, reason: "typo"), try catalogue(input))
    }

    // MARK: Calls

    @Test func aCallGetsTheOtherCostAndKeepsBoth() throws {
        var correcting = try correcting("3")
        let answer = correcting.reprice(priced(call("1"), 1_000_000))
        let repriced = try #require(answer)
        #expect(repriced.call.cost == usd(nanos: 3_000_000).wire && repriced.previousCost == usd(nanos: 1_000_000).wire)
        #expect(repriced.difference == usd(nanos: 2_000_000).wire && repriced.previousPriceVersion == "v1/a")
        #expect(repriced.call.priceVersion.hasPrefix("2026-11-01+") && repriced.correction == "correction-1")
        #expect(repriced.reason == "typo" && repriced.call.quantities == call("1").quantities)
        #expect(correcting.reprice(repriced.call) == nil, "once")
    }

    @Test func whatTheScopeDoesNotReachStays() throws {
        var correcting = try correcting("3")
        #expect(correcting.reprice(priced(call("1", model: "b"), 7)) == nil)
        #expect(correcting.reprice(priced(call("1", at: hour("2026-11-19", 23)), 7)) == nil)
        #expect(correcting.reprice(priced(call("1", at: hour("2026-11-22", 0)), 7)) == nil)
        #expect(correcting.reprice(priced(call("1", model: "unheard"), 7)) == nil)
        var other = call("1")
        other.provider = "anthropic"
        #expect(correcting.reprice(priced(other, 7)) == nil)
    }

    @Test func whatNoListPricesAndWhatCostNothingStays() throws {
        var correcting = try correcting("3")
        var unpriceable = call("1")
        unpriceable.unpriceable = true
        unpriceable.unpricedReason = "no usage told"
        #expect(correcting.reprice(unpriceable) == nil)
        var free = call("1")
        free.cost = usd(nanos: 0).wire
        #expect(correcting.reprice(free) == nil)
    }

    @Test func aFirstPriceIsOnlyForWhatHasNone() throws {
        var first = CallRepricing(.firstPrices, try catalogue("3"))
        #expect(first.reprice(priced(call("1"), 1)) == nil)
        var unpriced = call("1")
        unpriced.unpricedReason = "no price for model a-1"
        let answer = first.reprice(unpriced)
        let repriced = try #require(answer)
        #expect(!repriced.hasPreviousCost && repriced.previousUnpricedReason == "no price for model a-1")
        #expect(repriced.call.unpricedReason.isEmpty && repriced.correction.isEmpty)
    }

    @Test func theRegionOfACallStaysInItsPrice() throws {
        let file = #"{"models":[\#(Self.list)],"defaults":{"openai":{"us_only_inference_multiplier":"1.1"}}}"#
        let catalogue = PriceCatalogue(try PriceFile(Array(file.utf8)))
        var pricing = UsagePricing(catalogue)
        var here = call("1")
        here.region = "us"
        guard case .priced(let price) = pricing.price(here) else { return #expect(Bool(false), "it has a price") }
        #expect(price.cost.nanos == 1_100_000)
    }

    // MARK: The last statement about each

    @Test(arguments: [1, 3])
    func onlyTheLastStatementOfEachCallCounts(_ parts: Int) throws {
        let correcting = try correcting("3")
        let calls = (0..<20).map { priced(call("c\($0)"), Int64($0) * 1_000) }
        var events: [FinOpsEvent] = calls.map { .callRecorded($0) }
        // Two were repriced before, one of them twice; one was said twice; one is another model's.
        events += [(3, 50), (4, 60), (3, 70)].map { (index, nanos) -> FinOpsEvent in
            .callRepriced(
                .with {
                    $0.call = priced(calls[index], Int64(nanos))
                    $0.previousCost = calls[index].cost
                })
        }
        events += [.callRecorded(calls[5]), .callRecorded(priced(call("b", model: "b"), 9))]
        var found: [String: Int64] = [:]
        for part in 0..<parts {
            var last = LastStatements(part: part, of: parts)
            for (index, event) in events.enumerated() {
                last.see(event, StreamVersion(UInt64(index) + 1), where: correcting.concerns)
            }
            for (index, event) in events.enumerated() {
                guard let call = last.call(event, StreamVersion(UInt64(index) + 1)) else { continue }
                #expect(found.updateValue(call.cost.nanos, forKey: call.call) == nil, "\(call.call)")
            }
        }
        var expected = Dictionary(uniqueKeysWithValues: calls.map { ($0.call, $0.cost.nanos) })
        (expected["c3"], expected["c4"]) = (70, 60)
        #expect(found == expected)
    }

    @Test func aCallThatHasItsFirstPriceIsNotMetAgain() throws {
        let first = CallRepricing(.firstPrices, try catalogue())
        var unpriced = call("1")
        unpriced.unpricedReason = "no price"
        let events: [FinOpsEvent] = [
            .callRecorded(unpriced), .callRepriced(.with { $0.call = priced(unpriced, 5) }), .callRecorded(unpriced),
        ]
        var last = LastStatements(part: 0, of: 1)
        for (index, event) in events.enumerated() {
            last.see(event, StreamVersion(UInt64(index) + 1), where: first.concerns)
        }
        #expect((1...3).allSatisfy { last.call(events[$0 - 1], StreamVersion(UInt64($0))) == nil })
    }

    // MARK: Rows

    private func stated(_ rows: [WireUsageRow]) throws -> [FinOpsEvent] {
        let observation = UsageObservation(
            provider: "openai", account: "acme", observed: Timestamp(seconds: hour("2026-11-21", 0)), rows: rows,
            covered: Set(rows.map { UsageBucket($0) }))
        return try given(UsageDay.self).when(.observe(observation, catalogue())).events()
    }

    @Test func aRowGetsTheOtherCostOnce() throws {
        let start = hour("2026-11-20", 5)
        let history = try stated([
            usageRow(model: "a", start: start) { $0.inputTokens = 1_000 },
            usageRow(model: "b", start: start) { $0.inputTokens = 1_000 },
        ])
        let correct = UsageDay.Command.correct(try catalogue("3"), scope, id: "correction-1", reason: "typo")
        let events = given(UsageDay.self, history).when(correct).events()
        guard case .usageRepriced(let repriced)? = events.first, events.count == 1 else {
            return #expect(events.count == 1)
        }
        #expect(repriced.row.cost.nanos == 3_000_000 && repriced.previousCost.nanos == 1_000_000)
        #expect(repriced.difference.nanos == 2_000_000 && repriced.correction == "correction-1")
        #expect(repriced.reason == "typo")
        given(UsageDay.self, history + events).when(correct).thenNothing()
    }

    // MARK: Ledger

    @Test func aCorrectionThatDidNotFinishIsFoundAgain() throws {
        var ledger = CorrectionLedger.State()
        let started = WirePriceCorrectionStarted(id: "correction-1", scope, reason: "typo")
        #expect(PriceScope(started) == scope)
        ledger.evolve(.priceCorrectionStarted(started))
        ledger.evolve(
            .priceCorrectionAdvanced(.init(id: "correction-1", stream: "calls-acme-2026-11-20", repriced: 3, nanos: 7)))
        ledger.evolve(.priceCorrectionAdvanced(.init(id: "", stream: "calls-acme-2026-11-20", repriced: 9, nanos: 9)))
        #expect(ledger.open(scope)?.id == "correction-1")
        let end = ledger.end(of: "correction-1")
        #expect(end.repriced == 3 && end.difference.nanos == 7 && end.finished)
        ledger.evolve(.priceCorrectionAdvanced(end))
        #expect(ledger.open(scope) == nil && ledger.open.isEmpty)
    }

    // MARK: Effect

    @Test func aPreviewIsWhatACorrectionDoes() throws {
        let before = try catalogue()
        let change = try PriceSetting(provider: "openai", model: "a", prices: ["input": "3"], from: nil, through: nil)
            .change(in: before, today: day("2026-11-22"), reason: "")
        let after = before.with(change.map { [.priceChanged($0)] } ?? [])
        var effect = PriceEffect(from: before, to: after, .asIfInForce)
        for event in try stated([usageRow(model: "a", start: hour("2026-11-20", 5)) { $0.inputTokens = 1_000 }]) {
            if case .usageRecorded(let recorded) = event { effect.add(recorded.row) }
        }
        effect.add(usageRow(model: "b", start: hour("2026-11-20", 5)) { $0.inputTokens = 1_000 })
        let recorded = priced(call("1"), 1_000_000)
        effect.add(.callRecorded(recorded))
        effect.add(.callRecorded(priced(call("2"), 500_000)))
        effect.add(
            .callRepriced(
                .with {
                    $0.call = priced(call("2"), 3_000_000)
                    $0.previousCost = usd(nanos: 500_000).wire
                }))
        #expect(effect.lines.map(\.model) == ["a", "a-1"] && effect.lines.map(\.isCalls) == [false, true])
        #expect(effect.lines[0].now == 1_000_000 && effect.lines[0].then == 3_000_000)
        let calls = effect.lines[1]
        #expect(calls.count == 2 && calls.affected == 1 && calls.now == 4_000_000 && calls.then == 6_000_000)
    }

    @Test func aPriceThatBeginsLaterIsShownAsIfItWereInForce() throws {
        let before = try catalogue()
        let change = try PriceSetting(
            provider: "openai", model: "a", prices: ["input": "3"], from: day("2026-12-01"), through: nil
        ).change(in: before, today: day("2026-11-22"), reason: "")
        let after = before.with(change.map { [.priceChanged($0)] } ?? [])
        var effect = PriceEffect(from: before, to: after, .asIfInForce)
        effect.add(.callRecorded(priced(call("1"), 1_000_000)))
        #expect(effect.lines.map(\.then) == [3_000_000])
        var corrected = PriceEffect(from: before, to: after, .corrected(scope))
        corrected.add(.callRecorded(priced(call("1"), 1_000_000)))
        #expect(corrected.lines.map(\.then) == [1_000_000])
    }
}
