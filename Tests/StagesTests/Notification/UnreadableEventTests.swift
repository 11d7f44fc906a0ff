import EventLog
import FinOps
import Notices
import Stages
import SwiftProtobuf
import TestSupport
import Testing

/// What the notifier cannot decode is put aside; an administrator lets it try again once it can.
@Suite struct UnreadableEventTests {
    private func retry(_ position: Position, in bench: NotifierBench, stage: String = "notifier") async throws {
        let retried = WireProcessingRetried.with { ($0.stage, $0.position) = (stage, position.value) }
        try await bench.append(.processingRetried(retried), to: .failures(stage: stage))
    }

    @Test func aCrossingThatCanBeReadAfterAllIsToldOnce() async throws {
        let bench = NotifierBench()
        let log = UnreadableLog(of: bench.store)
        try await bench.set("slack", ["slack"])
        let position = try await bench.cross("search")
        log.garble(position)
        try await bench.run(bench.notifier(reader: log), following: log) {
            try await eventually { try await bench.count("processing.failed") == 1 }
            // Of another program, and of this one while nothing is mended.
            try await retry(position, in: bench, stage: "attributor")
            try await retry(position, in: bench)
            try await eventually { try await bench.count("processing.failed") == 2 }
            #expect(bench.otherSide.arrived.isEmpty)
            log.mend()
            try await retry(position, in: bench)
            try await eventually { try await bench.count("notification.delivered") == 1 }
            return true
        }
        // A later run finds nothing left to do.
        try await bench.run(bench.notifier(reader: log), following: log) {
            let second = try await bench.cross("chat")
            try await eventually { bench.otherSide.facts("slack").contains("crossed-\(second)") }
            return true
        }
        #expect(bench.otherSide.facts("slack").first == "crossed-\(position)")
        #expect(bench.otherSide.facts("slack").count == 2)
        #expect(try await bench.count("processing.failed") == 2)
    }

    @Test func aRetryThatTheNotifierDidNotSeeIsCarriedOutWhenItRuns() async throws {
        let bench = NotifierBench()
        let log = UnreadableLog(of: bench.store)
        try await bench.set("slack", ["slack"])
        let position = try await bench.cross("search")
        log.garble(position)
        try await bench.run(bench.notifier(reader: log), following: log) {
            try await bench.count("processing.failed") == 1
        }
        log.mend()
        try await retry(position, in: bench)
        try await bench.run(bench.notifier(reader: log), following: log) {
            try await bench.count("notification.delivered") == 1
        }
        #expect(bench.otherSide.facts("slack") == ["crossed-\(position)"])
    }

    /// Without this a channel that cannot be read would have kept the notifier from starting, and every alert from leaving.
    @Test func aChannelThatCannotBeReadKeepsNobodyElseFromBeingToldAndCountsInItsPlaceOnceItCan() async throws {
        let bench = NotifierBench()
        let log = UnreadableLog(of: bench.store)
        try await bench.set("slack", ["slack"])
        try await bench.set("mail", ["mail-ko"])
        log.garble(Position(2))
        for project in ["search", "chat"] {
            // Each time from its beginning.
            try await bench.run(bench.notifier(reader: log), following: log) {
                let told = try await bench.cross(project)
                try await eventually { bench.otherSide.facts("slack").contains("crossed-\(told)") }
                return true
            }
        }
        #expect(try await bench.count("processing.failed") == 1)
        // What was said later wins, although it is read earlier.
        try await bench.set("mail", ["mail-en"], version: 2)
        log.mend()
        try await bench.run(bench.notifier(reader: log), following: log) {
            try await retry(Position(2), in: bench)
            let told = try await bench.cross("lab")
            try await eventually { bench.otherSide.facts("mail-en").contains("crossed-\(told)") }
            return true
        }
        #expect(bench.otherSide.facts("mail-ko").isEmpty)
    }

    @Test func whatWasSkippedHasNoPartInWhatIsKnown() async throws {
        let bench = NotifierBench()
        let log = UnreadableLog(of: bench.store)
        try await bench.set("slack", ["slack"])
        try await bench.set("mail", ["mail-ko"])
        log.garble(Position(2))
        try await bench.run(bench.notifier(reader: log), following: log) {
            try await bench.count("processing.failed") == 1
        }
        let skipped = WireProcessingSkipped.with { ($0.stage, $0.position, $0.reason) = ("notifier", 2, "by mistake") }
        try await bench.append(.processingSkipped(skipped), to: .failures(stage: "notifier"))
        log.mend()
        try await bench.run(bench.notifier(reader: log), following: log) {
            let told = try await bench.cross("search")
            try await eventually { bench.otherSide.facts("slack").contains("crossed-\(told)") }
            return true
        }
        #expect(bench.otherSide.facts("mail-ko").isEmpty)
    }
}
