import EventLog
import FinOps
import SwiftProtobuf
import Testing

@Suite struct SilenceWatchTests {
    /// A watch that is looked at every minute, from minute 0 on.
    private struct Scene {
        var watch = SilenceWatch(
            settings: .init(silentAfterSeconds: 3_600, stalledAfterSeconds: 600),
            stages: ["threshold-watcher": SilenceWatch.Condition.evaluationStalled])
        private(set) var told: [String] = []
        private var minute: Int64 = 0

        private func at(_ minute: Int64) -> Timestamp { Timestamp(seconds: 1_800_000_000 + minute * 60) }

        mutating func happens(_ event: FinOpsEvent, at minute: Int64) { watch.evolve(event, at: at(minute)) }

        mutating func connect(at minute: Int64) {
            happens(.connectionMade(.with { ($0.provider, $0.account) = ("openai", "acme") }), at: minute)
        }

        mutating func collected(at minute: Int64) { happens(.runFinished(.with { $0.account = "acme" }), at: minute) }

        /// Looks every minute up to this one; the stage is as `sample` says.
        mutating func look(until end: Int64, _ sample: (Int64) -> SilenceWatch.StageSample?) {
            while minute < end {
                minute += 1
                watch.look(["threshold-watcher": sample(minute)], at: at(minute))
                for event in watch.decide(at: at(minute)) {
                    watch.evolve(event, at: at(minute))
                    switch event {
                    case .conditionRaised(let event): told.append("\(minute) + \(event.kind) \(event.subject)")
                    case .conditionEnded(let event): told.append("\(minute) - \(event.kind) \(event.subject)")
                    default: break
                    }
                }
            }
        }

        mutating func sleep(until end: Int64) { minute = end }

        static let idle = SilenceWatch.StageSample(handled: Position(10), lagEvents: 0)
        static func moving(_ minute: Int64) -> SilenceWatch.StageSample {
            SilenceWatch.StageSample(handled: Position(UInt64(minute)), lagEvents: 1_000)
        }
        static let stuck = SilenceWatch.StageSample(handled: Position(10), lagEvents: 3)
    }

    @Test func aStageThatAnswersAndMovesIsSound() {
        var scene = Scene()
        scene.look(until: 30) { _ in Scene.idle }
        scene.look(until: 90, Scene.moving)
        #expect(scene.told.isEmpty)
    }

    @Test func aStageThatStandsStillIsToldOnceAndThatItWorksAgain() {
        var scene = Scene()
        scene.look(until: 5) { _ in Scene.idle }
        scene.look(until: 40) { _ in Scene.stuck }
        // The first sample with work to do is at another position only by chance: here it is the same.
        #expect(scene.told == ["16 + evaluation-stalled threshold-watcher"])
        scene.look(until: 60) { _ in Scene.idle }
        #expect(scene.told.dropFirst() == ["41 - evaluation-stalled threshold-watcher"])
    }

    @Test func aStageThatDoesNotAnswerIsTold() {
        var scene = Scene()
        scene.look(until: 30) { _ in nil }
        #expect(scene.told == ["12 + evaluation-stalled threshold-watcher"])
    }

    @Test func oneThatComesAndGoesIsToldAtMostEveryTenMinutes() {
        var scene = Scene()
        scene.look(until: 120) { $0 % 12 == 0 ? Scene.idle : Scene.stuck }
        #expect(scene.told.count <= 20)
        var restless = Scene()
        restless.look(until: 120) { $0 % 3 == 0 ? Scene.idle : nil }
        #expect(restless.told.isEmpty)
    }

    @Test func whatNobodySawIsNotHeldAgainstAStage() {
        var scene = Scene()
        scene.look(until: 5) { _ in Scene.stuck }
        scene.sleep(until: 500)
        scene.look(until: 510) { _ in Scene.stuck }
        #expect(scene.told.isEmpty)
    }

    @Test func aSourceThatBringsNothingIsToldAndThatItDoesAgain() {
        var scene = Scene()
        scene.connect(at: 0)
        scene.collected(at: 10)
        scene.look(until: 100) { _ in Scene.idle }
        #expect(scene.told == ["71 + source-silent openai/acme"])
        scene.collected(at: 100)
        scene.look(until: 120) { _ in Scene.idle }
        #expect(scene.told.dropFirst() == ["101 - source-silent openai/acme"])
    }

    @Test func usageCountsWithoutACollection() {
        var scene = Scene()
        scene.connect(at: 0)
        scene.look(until: 50) { _ in Scene.idle }
        scene.watch.brought("acme", at: Timestamp(seconds: 1_800_000_000 + 50 * 60))
        scene.look(until: 100) { _ in Scene.idle }
        #expect(scene.told.isEmpty)
    }

    @Test func aPipelineThatHasJustStartedGetsItsChance() {
        var scene = Scene()
        scene.connect(at: -10_000)
        scene.look(until: 5) { _ in Scene.idle }
        #expect(scene.told.isEmpty)
        scene.look(until: 20) { _ in Scene.idle }
        #expect(scene.told == ["12 + source-silent openai/acme"])
    }

    @Test func aRestartNeitherEndsNorRepeatsWhatStillHolds() {
        var scene = Scene()
        scene.connect(at: -10_000)
        scene.collected(at: -9_000)
        scene.happens(
            .conditionRaised(.with { ($0.kind, $0.subject) = ("source-silent", "openai/acme") }), at: -100)
        scene.look(until: 60) { _ in Scene.idle }
        #expect(scene.told.isEmpty)
    }

    @Test func whatIsNoLongerConnectedIsNotSilent() {
        var scene = Scene()
        scene.connect(at: 0)
        scene.look(until: 70) { _ in Scene.idle }
        scene.happens(.connectionRemoved(.with { ($0.provider, $0.account) = ("openai", "acme") }), at: 70)
        scene.look(until: 80) { _ in Scene.idle }
        #expect(scene.told == ["61 + source-silent openai/acme", "71 - source-silent openai/acme"])
    }
}
