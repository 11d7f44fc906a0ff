import EventLog
import FinOps
import Stages
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct UnpricedModelsTests {
    private let bench = WatchBench()

    private static func met(_ model: String, _ day: String = "2026-11-20") -> WireModelUnpriced {
        .with {
            ($0.provider, $0.model, $0.account, $0.day) = ("openai", model, "acme", day)
            $0.reason = "no price for model \(model)"
        }
    }

    private func tell(_ models: [WireModelUnpriced]) async throws -> [String] {
        // Each time anew, as after a restart.
        try await UnpricedModels(store: bench.store).tell(models, at: bench.clock.now()).map(\.model)
    }

    /// What the collector appends for a row of the model.
    private func collect(_ model: String, on text: String) async throws {
        let row = usageRow(model: model, start: hour(text, 5)) { $0.inputTokens = 10 }
        let observation = UsageObservation(
            provider: row.provider, account: row.account, observed: bench.clock.now(), rows: [row],
            covered: [UsageBucket(row)])
        let events = try UsageDay.decide(.observe(observation, .seed), UsageDay.initialState)
        try await bench.append(
            UsageDay.appends(
                events, account: row.account, day: day(text), expected: .none, occurred: bench.clock.now()))
    }

    /// How many of the events would be told to a destination.
    private func alerts() async throws -> Int {
        try await bench.recorded(["model.unpriced"]).reduce(0) { sum, recorded in
            guard let event = try EventCatalogue.decode(recorded.event) else { return sum }
            return sum
                + Queueing.items(
                    for: event, position: recorded.position, version: recorded.version, destinations: ["slack"]
                ).count
        }
    }

    @Test func aModelIsToldOnceHoweverOftenItIsFound() async throws {
        #expect(try await tell([Self.met("house"), Self.met("other")]) == ["house", "other"])
        #expect(try await tell([Self.met("house", "2026-11-21"), Self.met("third")]) == ["third"])
        #expect(try await tell([Self.met("house"), Self.met("other"), Self.met("third")]) == [])
        let told = try await bench.recorded(["model.unpriced"])
        #expect(
            told.map(\.stream) == ["house", "other", "third"].map { .unpriced(provider: "openai", model: $0) })
        #expect(try await alerts() == 3)
    }

    @Test(arguments: [false, true]) func usageAndCallsOfAModelAreToldOnceTogether(_ collectorIsFirst: Bool) async throws
    {
        if collectorIsFirst { try await collect("house", on: "2026-11-19") }
        #expect(try await tell([Self.met("house")]) == (collectorIsFirst ? [] : ["house"]))
        try await collect("house", on: "2026-11-20")
        #expect(try await tell([Self.met("house")]) == [])
        // The collector's index of days is as it was.
        let days: [String] = try await bench.recorded(["model.unpriced"]).compactMap { recorded in
            if case .modelUnpriced(let met)? = try EventCatalogue.decode(recorded.event) { met.day } else { nil }
        }
        #expect(days == [collectorIsFirst ? "2026-11-19" : "2026-11-20", "2026-11-20"])
        #expect(try await alerts() == 1)
    }
}
