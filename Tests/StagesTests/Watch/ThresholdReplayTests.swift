import EventLog
import FinOps
import Stages
import TestSupport
import Testing

@Suite struct ThresholdReplayTests {
    /// Two weeks of costs of which some are taken back, for a threshold that is armed first if `arms`.
    private func bench(arms: Bool) async throws -> (WatchBench, WireThresholdSet) {
        let bench = WatchBench()
        let scope = CostScope.project("P")
        let armed = WatchBench.threshold(scope, daily: 500, weekly: 2_000, levels: [80, 100])
        let other = WatchBench.threshold(.team("B"), daily: 1, levels: [100])
        try await bench.append([arms ? armed : other], to: .threshold(arms ? scope : .team("B")))
        try await bench.assign()
        var random = SeededGenerator(seed: 17)
        var amounts: [String: Int64] = [:]
        for round in 0..<80 {
            let number = 9 + (round / 8 + Int.random(in: 0...2, using: &random)) % 12
            let (text, at) = ("2026-11-\(number < 10 ? "0" : "")\(number)", Int64.random(in: 0...2, using: &random))
            let cents = Int64.random(in: 0...400, using: &random)
            let known = amounts.updateValue(cents, forKey: "\(text) \(at)")
            let event =
                known.map { WatchBench.restated(cents, by: cents - $0, text, at) } ?? WatchBench.usage(cents, text, at)
            try await bench.append([event], to: .usage(account: "acme", day: day(text)))
            if round == 40 { try await bench.assign("key_b") }
        }
        guard case .thresholdSet(let statement) = armed else { preconditionFailure("a threshold") }
        return (bench, statement)
    }

    private func replay(
        _ bench: WatchBench, _ statement: WireThresholdSet, _ from: String, _ to: String
    ) async throws -> ThresholdReplay.Outcome {
        try await ThresholdReplay(
            of: statement, over: day(from)...day(to), calendar: .seoul, currency: .usd, reader: bench.store,
            logger: .silent
        ).run()
    }

    @Test func itFindsWhatAnArmedThresholdFoundAndWritesNothing() async throws {
        let (armed, statement) = try await bench(arms: true)
        try await armed.watcher().catchUp()
        let found = try await armed.findings()
        #expect(found.contains { $0.hasPrefix("-") } && found.contains { $0.contains("week") })
        for bench in [armed, try await self.bench(arms: false).0] {
            let head = try await bench.store.head()
            let outcome = try await replay(bench, statement, "2026-11-01", "2026-11-30")
            #expect(try await bench.store.head() == head)
            #expect(outcome.position == head && outcome.unreadable.isEmpty)
            let crossed = outcome.crossings.compactMap { WatchBench.text(.thresholdCrossed($0.crossed)) }
            #expect(crossed == found.filter { $0.hasPrefix("+") })
            let cleared = outcome.crossings.compactMap { $0.cleared }.compactMap {
                WatchBench.text(.thresholdCleared($0.cleared))
            }
            #expect(cleared.sorted() == found.filter { $0.hasPrefix("-") }.sorted())
            for crossing in outcome.crossings {
                #expect(crossing.cleared.map { crossing.known < $0.known } ?? true)
            }
        }
    }

    /// Streams that are read in many pieces, and take turns in the log by one event or by hundreds.
    @Test func itPlaysLongStreamsInTheOrderOfTheLog() async throws {
        let bench = WatchBench()
        let armed = WatchBench.threshold(.organisation, daily: 40_000, weekly: 90_000, levels: Array(1...100))
        try await bench.append([armed], to: .threshold(.organisation))
        var random = SeededGenerator(seed: 23)
        for round in 0..<60 {
            let count = round.isMultiple(of: 2) ? 1 : Int.random(in: 1...700, using: &random)
            let day = ["2026-11-18", "2026-11-19", "2026-11-20"].randomElement(using: &random) ?? ""
            try await bench.usage((0..<count).map { Int64($0 % 7) }, on: day)
        }
        try await bench.watcher().catchUp()
        guard case .thresholdSet(let statement) = armed else {
            Issue.record("no threshold")
            return
        }
        let outcome = try await replay(bench, statement, "2026-11-01", "2026-11-30")
        let found = try await bench.findings()
        #expect(found.count > 50)
        #expect(outcome.crossings.compactMap { WatchBench.text(.thresholdCrossed($0.crossed)) } == found)
        #expect(outcome.events == Int(try await bench.recorded(["usage.recorded"]).count))
    }

    @Test func windowsThatTouchTheDaysAreReplayedWhole() async throws {
        let (bench, statement) = try await bench(arms: false)
        let all = try await replay(bench, statement, "2026-11-01", "2026-11-30").crossings
        for (from, to) in [("2026-11-12", "2026-11-12"), ("2026-11-15", "2026-11-17"), ("2026-11-18", "2026-11-20")] {
            let part = try await replay(bench, statement, from, to).crossings
            let expected = all.filter { crossing in
                let first = day(crossing.crossed.firstDay)
                let last = first.advanced(by: crossing.crossed.window == "week" ? 6 : 0)
                return first <= day(to) && last >= day(from)
            }
            #expect(
                part.compactMap { WatchBench.text(.thresholdCrossed($0.crossed)) }
                    == expected.compactMap { WatchBench.text(.thresholdCrossed($0.crossed)) }, "\(from) \(to)")
        }
    }

    @Test func whatCannotBeReadIsLeftOutAndNamed() async throws {
        let bench = WatchBench()
        try await bench.usage([500])
        try await bench.poison()
        try await bench.usage([600], at: 4)
        guard case .thresholdSet(let statement) = WatchBench.threshold(.organisation, daily: 500, levels: [100, 200])
        else {
            Issue.record("no threshold")
            return
        }
        let outcome = try await replay(bench, statement, "2026-11-20", "2026-11-20")
        #expect(outcome.crossings.map(\.crossed.level) == [100])
        #expect(outcome.unreadable.count == 1 && outcome.unreadable[0].hasPrefix("position 2: "))
    }
}
