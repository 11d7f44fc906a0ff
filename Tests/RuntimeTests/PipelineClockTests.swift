import EventLog
import Foundation
import Runtime
import Testing

@Suite struct PipelineClockTests {
    private let monday = Timestamp(seconds: 1_762_614_000)

    @Test func aScaledClockRunsAtItsRateFromItsStart() {
        let clock = PipelineClock(scale: .init(start: monday, rate: 600, anchor: Timestamp(seconds: 1_000)))
        #expect(clock.at(wall: Timestamp(seconds: 1_000)) == monday)
        #expect(clock.at(wall: Timestamp(seconds: 1_006)) == monday.advanced(bySeconds: 3_600))
        #expect(clock.at(wall: Timestamp(seconds: 0)) == monday)
    }

    @Test func everyProgramOfADirectoryHasTheSameClock() async throws {
        try await withStateDirectory { directory in
            #expect(try PipelineClock.load(from: directory) == .real)
            let clock = PipelineClock(scale: .init(start: monday, rate: 1_440.5, anchor: wallTime()))
            try clock.store(in: directory)
            #expect(try PipelineClock.load(from: directory) == clock)
            try PipelineClock.real.store(in: directory)
            #expect(!FileManager.default.fileExists(atPath: directory.clock))
        }
    }

    @Test func aStoppedPipelinesClockStandsStillAndGoesOnFromThere() {
        let anchor = wallTime().advanced(bySeconds: -10)
        let stopped = PipelineClock(scale: .init(start: monday, rate: 100, anchor: anchor)).frozen()
        let there = stopped.now()
        #expect(there >= monday.advanced(bySeconds: 1_000))
        #expect(stopped.at(wall: wallTime().advanced(bySeconds: 3_600)) == there)
        let resumed = stopped.resumed(rate: 100)
        #expect(resumed.scale?.frozen == nil)
        #expect(resumed.scale?.start == there)
    }

    @Test func aClockFileThatSaysNonsenseIsRefused() async throws {
        try await withStateDirectory { directory in
            for text in ["{}", "{\"start_us\":1,\"anchor_us\":2,\"rate\":-1}", "not json"] {
                try text.write(toFile: directory.clock, atomically: true, encoding: .utf8)
                #expect(throws: CommandFailure.self) { try PipelineClock.load(from: directory) }
            }
        }
    }

    @Test func sleepingGoesByBusinessTime() async throws {
        let clock = PipelineClock(scale: .init(start: monday, rate: 100_000, anchor: wallTime()))
        try await clock.sleep(seconds: 3_600)
        #expect(clock.now() >= monday.advanced(bySeconds: 3_600))
        try await PipelineClock.real.sleep(until: .distantPast)
    }

    @Test func sleepingEndsWhenItIsCancelled() async throws {
        let clock = PipelineClock(scale: .init(start: monday, rate: 1, anchor: wallTime())).frozen()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do { try await clock.sleep(seconds: 1) } catch { return error is CancellationError }; return false
            }
            group.cancelAll()
            #expect(await group.next() == true)
        }
    }

    @Test func anUnreachableTimeDoesNotTrap() {
        let clock = PipelineClock(scale: .init(start: monday, rate: 1_000_000, anchor: .init(seconds: 0)))
        #expect(clock.at(wall: Timestamp(seconds: 4_000_000_000)) > monday)
    }
}
