import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Synchronization
import TestSupport

/// One load on a pipeline whose programs are killed at random moments: a writer of its own, the scheduled collection of a
/// week in fast time, backfills and reports one after another. Only `finops up` is started again from here, as systemd
/// would.
final class ChaosRun: Sendable {
    /// A backfill that ended well: the run it told, and how many events of it the log must hold.
    struct Backfill: Sendable {
        let run: String
        let events: Int
    }

    /// Fast enough that the week is over when the kills are.
    private static let rate = 8_000
    /// How many kills a program that is quick to come back may be ahead of a slow one.
    private static let lead = 4
    private static let firstDay = Day("2026-11-09")!
    private static let lastDay = Day("2026-11-15")!

    private struct State {
        var isOver = false
        var supervisor: RunningProgram?
        var backfills: [Backfill] = []
        var reports = 0
        var failure: (any Error)?
    }

    let installation: Installation
    let writer = LoadWriter()
    private let pipeline: String
    private let state = Mutex(State())

    private var directory: StateDirectory { StateDirectory(path: installation.directory) }
    var backfills: [Backfill] { state.withLock { $0.backfills } }
    var reports: Int { state.withLock { $0.reports } }
    private var isOver: Bool { state.withLock { $0.isOver } }

    /// Writes the pipeline: the demo's, at another rate.
    init(_ installation: Installation) throws {
        self.installation = installation
        let text = try String(contentsOf: PipelineTests.folder.appending(path: "demo.yaml"), encoding: .utf8)
        pipeline = installation.root.appending(path: "chaos.yaml").path
        try text.replacing("rate: 10000", with: "rate: \(Self.rate)").write(
            toFile: pipeline, atomically: true, encoding: .utf8)
    }

    /// Runs the load, kills, and lets everything come to its end.
    /// - Returns: how often each was killed.
    func play(_ plan: ChaosPlan) async throws -> [ChaosTarget: Int] {
        try await installation.connect(pipeline: pipeline)
        try await installation.mapEverything()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let loads: [@Sendable () async throws -> Void] = [
                { try await self.keepSupervised() }, { try await self.writer.write(to: self.directory) },
                { try await self.backfillAgainAndAgain(seed: plan.seed) }, { try await self.reportAgainAndAgain() },
            ]
            for load in loads {
                group.addTask {
                    do { try await load() } catch {
                        self.state.withLock { $0.failure = $0.failure ?? error }
                        throw error
                    }
                }
            }
            do {
                let kills = try await kill(plan)
                state.withLock { $0.isOver = true }
                await writer.end()
                // The supervisor's task is the one that still runs.
                for _ in 1..<loads.count { try await group.next() }
                try await comeToRest()
                state.withLock { $0.supervisor }?.send(SIGTERM)
                try await group.next()
                return kills
            } catch {
                state.withLock { $0.isOver = true }
                await writer.end()
                state.withLock { $0.supervisor }?.send(SIGTERM)
                throw error
            }
        }
    }

    // MARK: The load

    private func keepSupervised() async throws {
        while true {
            if isOver, state.withLock({ $0.failure }) != nil { return }
            let up = try installation.start("finops", ["up", "--pipeline", pipeline])
            state.withLock { $0.supervisor = up }
            let result = await up.wait(limit: .seconds(1_000))
            if result.status == -SIGKILL { continue }
            guard isOver else { throw Unexpected("finops up ended by itself: \(result)") }
            try result.expecting()
            return
        }
    }

    /// Any day of the week that has begun. What is killed, or finds the log away for too long, is not acknowledged.
    private func backfillAgainAndAgain(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed &+ 1)
        while !isOver {
            let today = Day(utc: try PipelineClock.load(from: directory).now())
            let last = min(max(today, Self.firstDay), Self.lastDay)
            let day = Day(number: Int.random(in: Self.firstDay.number...last.number, using: &random))
            let result = try await installation.run(
                "ingest-openai", "backfill", "--from", "\(day)", "--to", "\(day)", "--json")
            if result.status == -SIGKILL || result.status == 75 { continue }
            for run in try result.expecting().json()["runs"]?.array ?? [] {
                // A day that had not begun was not asked for, and has no record.
                guard let requests = run["requests"]?.integer, requests > 0 else { continue }
                let events = (run["recorded"]?.integer ?? -1) + (run["restated"]?.integer ?? -1)
                state.withLock { $0.backfills.append(Backfill(run: run["run"]?.string ?? "", events: Int(events))) }
            }
        }
    }

    private func reportAgainAndAgain() async throws {
        while !isOver {
            let result = try await installation.run(
                "reporter", "costs", "--by", "team,model", "--from", "\(Self.firstDay)", "--to", "\(Self.lastDay)",
                "--json")
            if result.status == -SIGKILL || result.status == 75 { continue }
            let answer = try result.expecting().json()
            let rows = (answer["rows"]?.array ?? []).reduce(0) { $0 + ($1["cost_nano"]?.integer ?? 0) }
            guard answer["total"]?["cost_nano"]?.integer == rows else { throw Unexpected("torn: \(answer.text)") }
            state.withLock { $0.reports += 1 }
            // A person does not ask without a rest either.
            try await Task.sleep(for: .milliseconds(150))
        }
    }

    // MARK: The kills

    /// A kill about every 0.3 s, of what runs and was not killed much more often than the others.
    private func kill(_ plan: ChaosPlan) async throws -> [ChaosTarget: Int] {
        var random = SeededGenerator(seed: plan.seed)
        var kills = Dictionary(uniqueKeysWithValues: ChaosTarget.allCases.map { ($0, 0) })
        let start = ContinuousClock.now
        func isEnough() -> Bool {
            if kills.values.reduce(0, +) >= plan.kills { return true }
            // A busy machine gets fewer, but not too few.
            let isDue = kills.values.contains { $0 < plan.leastOfEach }
            return ContinuousClock.now > start + plan.limit * (isDue ? 2 : 1)
        }
        while !isEnough() {
            if let failure = state.withLock({ $0.failure }) { throw failure }
            try await Task.sleep(for: .milliseconds(Int.random(in: 150...450, using: &random)))
            let least = kills.values.min() ?? 0
            let running = installation.processes().compactMap { process in
                ChaosTarget(commandLine: process.commandLine).map { (target: $0, pid: process.pid) }
            }
            let due = running.filter { process in
                // With the supervisor everything has to come back: it is never ahead of the others.
                kills[process.target, default: 0] <= least + (process.target == .supervisor ? 0 : Self.lead)
            }
            guard let victim = due.randomElement(using: &random) else { continue }
            if Foundation.kill(victim.pid, SIGKILL) == 0 { kills[victim.target, default: 0] += 1 }
        }
        return kills
    }

    /// Nothing is killed any more: the programs come back by themselves, the week ends, and what it left is collected.
    private func comeToRest() async throws {
        try await installation.allReady()
        let published = Self.lastDay.advanced(by: 1).utcStart
        try await eventually("the week is over", limit: .seconds(120)) {
            try PipelineClock.load(from: directory).now() > published
        }
        try await installation.backfill("\(Self.firstDay)", "\(Self.lastDay)").expecting()
        try await installation.allReady()
    }
}
