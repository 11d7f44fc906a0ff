import EventLog
import FinOps
import SwiftProtobuf
import Testing

@testable import Projections

/// Calls and rows that got another cost: both values stay, and the sums are those of the new ones.
@Suite struct CorrectionFoldTests {
    private let days = ("2026-11-01", "2026-11-30")

    private func call(_ event: FinOpsEvent) throws -> WireCallRecorded {
        guard case .callRecorded(let call) = event else { throw Unexpected() }
        return call
    }

    private struct Unexpected: Error {}

    private func reader(_ log: ScenarioLog) throws -> ProjectionReader { try ProjectionReader(path: log.files.current) }

    private func calls(_ log: ScenarioLog) throws -> [CallEntry] {
        try reader(log).calls(
            CallQuery(span: Timestamp(seconds: 0)..<Timestamp(microseconds: .max), limit: 100)
        ).calls
    }

    @Test func aCallHasTheNewCostAndRemembersTheFirst() async throws {
        let log = ScenarioLog()
        let first = called("1", at: "2026-11-19T05", nanos: 1_000)
        let other = called("2", at: "2026-11-19T05", nanos: 10)
        let once = repriced(try call(first), nanos: 3_000)
        try await log.append([first, other, .callRepriced(once)])
        try await log.catchUp()
        #expect(try log.query(from: days.0, to: days.1, basis: .estimated).total.cost == 3_010)
        try await log.append([
            .callRepriced(repriced(once.call, nanos: 2_000, version: "v3", correction: "correction-2"))
        ])
        try await log.catchUp()
        #expect(try log.query(from: days.0, to: days.1, basis: .estimated).total.cost == 2_010)
        #expect(try log.query(from: days.0, to: days.1).total.inputTokens == 200)
        let entries = try calls(log).sorted { $0.call < $1.call }
        #expect(entries.map(\.cost) == [2_000, 10] && entries.map(\.correctedFrom) == [1_000, nil])
        #expect(entries.map(\.repriced) == [4, nil] && entries.map(\.position) == [1, 2])
        #expect(entries.map(\.priceVersion) == ["v3", "2026-11-01"])
        let corrections = try reader(log).corrections(limit: 10)
        #expect(corrections.map(\.before) == [3_000, 1_000] && corrections.map(\.after) == [2_000, 3_000])
        #expect(corrections.map(\.correction) == ["correction-2", "correction-1"])
        #expect(corrections[1].call == "1" && corrections[1].reason == "invoice 7" && corrections[1].actor == "someone")
        #expect(corrections[1].beforeVersion == "2026-11-01" && corrections[1].afterVersion == "2026-11-22")
        #expect(try reader(log).corrections(of: "correction-1", limit: 10).map(\.position) == [3])
        #expect(try reader(log).corrections(after: 4, limit: 10).map(\.position) == [3])
        #expect(try await log.rebuild() == log.catchUp())
    }

    /// Whether a call and its price come in one batch or in two, nothing is left of it among the unpriced ones.
    @Test(arguments: [false, true]) func aFirstPriceLeavesNothingUnpriced(_ isOneBatch: Bool) async throws {
        let log = ScenarioLog()
        var events = [
            called("1", at: "2026-11-19T05", input: 7, cached: 1, output: 3, nanos: nil),
            called("2", at: "2026-11-19T05", minute: 2, input: 5, output: 1, nanos: nil),
        ]
        let prices: [FinOpsEvent] = try events.map { .callRepriced(repriced(try call($0), nanos: 9, correction: "")) }
        if isOneBatch { events += prices }
        try await log.append(events)
        try await log.catchUp()
        if !isOneBatch {
            #expect(try log.query(from: days.0, to: days.1).unpriced.requests == 2)
            try await log.append([prices[0]])
            try await log.catchUp()
            #expect(try log.query(from: days.0, to: days.1).unpriced.inputTokens == 5)
            try await log.append([prices[1]])
            try await log.catchUp()
        }
        let report = try log.query(from: days.0, to: days.1)
        #expect(report.unpriced == UnpricedSums() && report.total.cost == 18 && report.total.requests == 2)
        #expect(report.total.inputTokens == 12)
        #expect(try reader(log).corrections(limit: 9).isEmpty)
        #expect(try reader(log).corrections(includingFirstPrices: true, limit: 9).map(\.before) == [nil, nil])
        #expect(try await log.rebuild() == log.catchUp())
    }

    /// A model whose calls have no price is named until the log has been told of it, or all of them have a price.
    @Test func aModelWithoutAPriceIsNamedUntilItIsToldOrPriced() async throws {
        let log = ScenarioLog()
        func untold() throws -> [String] {
            try reader(log).untoldUnpricedModels(limit: 9).map { "\($0.provider)/\($0.model) \($0.account) \($0.day)" }
        }
        let first = called("1", at: "2026-11-19T05", model: "house", nanos: nil)
        let second = called("2", at: "2026-11-20T05", model: "house", nanos: nil)
        var azure = try call(called("3", at: "2026-11-19T05", model: "old", nanos: nil))
        azure.provider = "azure"
        var hopeless = try call(called("4", at: "2026-11-19T05", model: "muddle", nanos: nil))
        hopeless.unpriceable = true
        var nameless = try call(called("5", at: "2026-11-19T05", nanos: nil))
        nameless.model = ""
        try await log.append([
            first, first, second, .callRecorded(azure), .callRecorded(hopeless), .callRecorded(nameless),
            called("6", at: "2026-11-19T05", nanos: 5),
        ])
        try await log.catchUp()
        let named = try reader(log).untoldUnpricedModels(limit: 1)
        #expect(named.map(\.provider) == ["azure_openai"] && named.map(\.reason) == ["no price"])
        #expect(try untold() == ["azure_openai/old acme 2026-11-19", "openai/house acme 2026-11-19"])
        try await log.append([.callRepriced(repriced(try call(first), nanos: 9, correction: ""))])
        try await log.catchUp()
        #expect(try untold() == ["azure_openai/old acme 2026-11-19", "openai/house acme 2026-11-19"])
        let once = repriced(try call(second), nanos: 9, correction: "")
        try await log.append([.callRepriced(once), .callRepriced(repriced(once.call, nanos: 8))])
        try await log.catchUp()
        #expect(try untold() == ["azure_openai/old acme 2026-11-19"])
        try await log.append([
            called("7", at: "2026-11-21T05", model: "house", nanos: nil),
            .modelUnpriced(.with { ($0.provider, $0.model, $0.account) = ("azure_openai", "old", "other") }),
        ])
        try await log.catchUp()
        #expect(try untold() == ["openai/house acme 2026-11-21"])
        #expect(try await log.rebuild() == log.catchUp())
    }

    @Test func anEstimateThatYieldedYieldsWithItsNewCostToo() async throws {
        let log = ScenarioLog()
        let unpriced = called("1", at: "2026-11-19T05", nanos: nil)
        try await log.append([unpriced, recorded(usage("2026-11-19T05", nanos: 90))])
        try await log.catchUp()
        try await log.append([.callRepriced(repriced(try call(unpriced), nanos: 70))])
        try await log.catchUp()
        #expect(try log.query(from: days.0, to: days.1).total.cost == 90)
        #expect(try log.query(from: days.0, to: days.1, basis: .estimated).total.cost == 70)
        #expect(try await log.rebuild() == log.catchUp())
    }

    @Test func aRowThatWasRepricedIsACorrection() async throws {
        let log = ScenarioLog()
        try await log.append([recorded(usage("2026-11-19T05", nanos: 10))])
        try await log.append([
            .usageRepriced(
                .with {
                    $0.row = usage("2026-11-19T05", nanos: 30)
                    $0.previousCost.nanos = 10
                    $0.previousCost.currency = "USD"
                    $0.difference.nanos = 20
                    $0.difference.currency = "USD"
                    $0.correction = "correction-1"
                    $0.reason = "invoice 7"
                })
        ])
        try await log.catchUp()
        let corrections = try reader(log).corrections(limit: 9)
        #expect(corrections.map(\.before) == [10] && corrections.map(\.after) == [30])
        #expect(corrections.map(\.subject) == ["usage"] && corrections.map(\.difference) == [20])
        #expect(try log.query(from: days.0, to: days.1).total.cost == 30)
    }

    @Test func repricingWhatIsNotThereHalts() async throws {
        let log = ScenarioLog()
        try await log.append([.callRepriced(repriced(try call(called("1", at: "2026-11-19T05")), nanos: 1))])
        let halt = await #expect(throws: ProjectionHalt.self) { try await log.catchUp() }
        #expect(halt?.reason.contains("was not recorded") == true)
    }

    @Test func decisionsAboutPricesAreInTheAuditLog() async throws {
        let log = ScenarioLog()
        try await log.append([
            .priceChangeProposed(
                .with {
                    $0.id = "price-1"
                    $0.jumps = [
                        .with {
                            ($0.provider, $0.model, $0.name, $0.before, $0.after) = ("openai", "a", "input", "1", "9")
                        }
                    ]
                    $0.reason = "contract"
                }),
            .priceChangeApproved(.with { ($0.id, $0.reason) = ("price-1", "seen") }),
            .priceChangeRejected(.with { ($0.id, $0.reason) = ("price-2", "typo") }),
            .priceCorrectionStarted(
                .with {
                    ($0.id, $0.provider, $0.model, $0.from, $0.reason) = ("c-1", "openai", "a", "2026-11-01", "why")
                }),
            .priceCorrectionAdvanced(.with { ($0.id, $0.stream, $0.repriced) = ("c-1", "calls-acme-2026-11-01", 2) }),
            .priceCorrectionAdvanced(
                .with {
                    ($0.id, $0.repriced, $0.finished) = ("c-1", 2, true)
                    $0.difference.nanos = 5
                    $0.difference.currency = "USD"
                }),
        ])
        try await log.catchUp()
        let audit = try reader(log).audit(limit: 9)
        #expect(
            audit.map { "\($0.subject): \($0.detail)" } == [
                "c-1: finished: 2 repriced, 0.000000005 USD", "c-1: openai/a from 2026-11-01", "price-2: ", "price-1: ",
                "price-1: openai/a input 1 → 9",
            ])
        #expect(audit.map(\.reason) == ["", "why", "typo", "seen", "contract"])
    }
}
