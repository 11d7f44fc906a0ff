import EventLog
import FinOps
import Foundation
import JSON
import Projections
import Runtime
import Storage
import Testing

/// Every program killed about twenty times under one load: no acknowledged event lost, no cost twice, nothing left
/// behind. More of it, and the same again: `Ops/chaos --kills N --seed S`.
@Suite(.serialized) struct ChaosTests {
    @Test func nothingIsLostAndNothingCountsTwiceWhateverIsKilled() async throws {
        let plan = ChaosPlan()
        let oracle = try Oracle()
        do {
            try await Installation.with(followsClock: true) { installation in
                let run = try ChaosRun(installation)
                let started = ContinuousClock.now
                let kills = try await run.play(plan)
                let counts = ChaosTarget.allCases.map { "\($0.rawValue) \(kills[$0, default: 0])" }
                print(
                    "chaos: seed \(plan.seed), \(ContinuousClock.now - started):", counts.joined(separator: ", "),
                    "· \(await run.writer.acknowledged.count) appends, \(run.backfills.count) backfills,",
                    "\(run.reports) reports came through")
                for (target, count) in kills {
                    #expect(count >= plan.leastOfEach, "\(target.rawValue) was hardly killed")
                }
                try await expectAcknowledged(by: run)
                try await expectExactCosts(of: run, oracle)
                try await expectSoundLog(installation)
                try await expectEqualRebuild(installation)
            }
        } catch {
            Issue.record("seed \(plan.seed): \(error)")
        }
    }

    /// Every acknowledged append is where its receipt said, once; every run that ended well is in the log, whole.
    private func expectAcknowledged(by run: ChaosRun) async throws {
        let directory = StateDirectory(path: run.installation.directory)
        let reader = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        var positions: [EventID: Position] = [:]
        var eventsOfRuns: [String: Int] = [:]
        var (started, finished, ended): (Set<String>, Set<String>, Set<String>) = ([], [], [])
        for event in try await reader.everything() {
            #expect(positions.updateValue(event.position, forKey: event.event.id) == nil, "\(event.event.id) twice")
            guard let correlation = event.event.correlation?.description else { continue }
            switch event.type {
            case "run.started": started.insert(correlation)
            case "run.finished": finished.insert(correlation)
            case "run.failed": ended.insert(correlation)
            default: break
            }
            if event.stream.text.hasPrefix("usage-") || event.stream.text.hasPrefix("bill-") {
                eventsOfRuns[correlation, default: 0] += 1
            }
        }
        #expect(started.subtracting(finished).subtracting(ended).isEmpty, "runs that never end")
        let acknowledged = await run.writer.acknowledged
        #expect(!acknowledged.isEmpty && !run.backfills.isEmpty)
        for append in acknowledged {
            for (offset, id) in append.ids.enumerated() {
                #expect(positions[id] == Position(append.first.value + UInt64(offset)), "acknowledged, but lost")
            }
        }
        let written = try await reader.readAll(stream: "usage-load-2026-11-10")
        #expect(written.count == acknowledged.reduce(0) { $0 + $1.ids.count })
        for backfill in run.backfills {
            #expect(finished.contains(backfill.run), "the run \(backfill.run) ended well, but its end is lost")
            #expect(eventsOfRuns[backfill.run, default: 0] == backfill.events, "events of \(backfill.run)")
        }
    }

    private func expectExactCosts(of run: ChaosRun, _ oracle: Oracle) async throws {
        let week = MainJobTests.week
        let answer = try await run.installation.costs(by: "key,model", week.0, week.1)
        let load = await run.writer.expected
        expectEqual(answer, oracle.totals(by: [.key, .model]).merging(load) { $1 }, by: ["key", "model"])
    }

    private func expectSoundLog(_ installation: Installation) async throws {
        let verified = try await installation.run("event-log", "verify", "--json").expecting().json()
        #expect(verified["ok"]?.bool == true)
        // No lock and no socket of the dead is in the way.
        try await installation.run("finops", "team", "add", "aftermath").expecting()
    }

    /// What was kept up to date through all of it is what a clean rebuild gives, value by value.
    private func expectEqualRebuild(_ installation: Installation) async throws {
        let files = ProjectionFiles(directory: StateDirectory(path: installation.directory).projectionsDirectory)
        let kept = try ProjectionDigest.hex(ofGeneration: files.current)
        let rebuilt = try await installation.run("projector", "rebuild", "--json").expecting().json()
        #expect(rebuilt["digest"]?.string == kept)
    }
}

extension EventReader {
    fileprivate func everything() async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        var position = Position.start
        while true {
            let page = try await read(after: position, limit: EventLimits.readEvents, types: nil)
            events += page.events
            guard page.scannedThrough > position else { return events }
            position = page.scannedThrough
        }
    }
}
