import EventLog
import FinOps
import SwiftProtobuf
import Testing

/// Messages that do not arrive: when they are tried again, what is uncertain, and when they are given up.
@Suite struct OutboxFailureTests {
    @Test func aFailedMessageIsTriedAgainAsItWasBeforeAnythingNewer() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        let first = try scene.fail(at: 0)
        scene.crossed("chat", at: 0)
        let wait = try #require(scene.next(at: 0).waitsUntil)
        #expect((0.8...1.2).contains(wait * 60))
        let second = try scene.start(at: wait)
        #expect(second.notification == first.notification && second.items == first.items)
        #expect(second.attempt == 2 && !second.isUncertain)
    }

    @Test func waitsGrowUpToFiveMinutes() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        var minutes = 0.0
        for seconds in [1.0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            try scene.fail(at: minutes)
            let until = try #require(scene.next(at: minutes).waitsUntil)
            let waited = (until - minutes) * 60
            #expect((seconds * 0.79...seconds * 1.21).contains(waited), "\(waited)")
            minutes = until
        }
    }

    @Test func whatTheOtherSideAskedForIsWaitedForEvenByATest() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.fail(at: 0, code: "throttled", retryAfter: 30)
        scene.tested(at: 0.1)
        #expect(scene.next(at: 0.1).waitsUntil == 0.5)
    }

    @Test func aTestHurriesWhatFailed() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.fail(at: 0)
        try scene.fail(at: 1)
        scene.tested(at: 1)
        #expect(try scene.start(at: 1).attempt == 3)
    }

    @Test func aNewSettingOfTheChannelHurriesWhatFailed() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.fail(at: 0)
        #expect(scene.next(at: 0).plan == nil)
        scene.set(["slack"], at: 0)
        #expect(scene.next(at: 0).plan != nil)
    }

    @Test func aFailedTestIsNotRepeated() throws {
        var scene = OutboxScene()
        let test = scene.tested(at: 0)
        try scene.fail(at: 0)
        #expect(scene.next(at: 0).dropped == [test])
    }

    @Test func anAttemptWithoutAnOutcomeIsUncertainFromThenOn() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        let first = try scene.start(at: 0)
        // Nobody noted what became of it.
        let second = try scene.fail(at: 1)
        #expect(second.isUncertain && second.notification == first.notification && second.attempt == 2)
        #expect(try scene.start(at: 2).isUncertain)
    }

    @Test func aTimeOutAfterItWasHandedOverIsUncertain() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.fail(at: 0, code: "timed-out", uncertain: true)
        #expect(try scene.start(at: 1).isUncertain)
    }

    @Test func aTimeThatCannotBeIsNotTrapped() throws {
        for milliseconds in [Int64.max, .max / 1_000 + 1, .min] {
            var scene = OutboxScene()
            scene.crossed("search", at: 0)
            let plan = try scene.start(at: 0)
            let failure = DeliveryFailure(code: "unreachable", message: "no", isRetriable: true)
            guard case .notificationFailed(var event) = plan.failed(failure, at: OutboxScene.at(0)) else {
                Issue.record("no failure")
                continue
            }
            event.retryAt = milliseconds
            scene.outbox.evolve(.notificationFailed(event), at: OutboxScene.at(0))
            if case .wait(let until) = scene.next(at: 1) { #expect(until.map { $0 > OutboxScene.at(1) } != false) }
        }
    }

    @Test func afterADayItIsADeadLetterAndTheRestGoesOn() throws {
        var scene = OutboxScene(settings: .init(giveUpAfterSeconds: 3_600, paceMicroseconds: 0))
        scene.crossed("search", at: 0)
        let plan = try scene.fail(at: 0)
        let newer = scene.crossed("chat", at: 1)
        try scene.fail(at: 59)
        #expect(scene.next(at: 200).plan?.attempt == 3, "an old one gets its chance before it is given up")
        try scene.fail(at: 200)
        guard case .abandon(let letter) = scene.next(at: 200) else {
            Issue.record("not given up")
            return
        }
        #expect(letter.notification == plan.notification && letter.attempts == 3 && letter.reason.contains("no"))
        scene.settle(at: 200)
        #expect(scene.outbox.deadLetters == 1)
        #expect(try scene.deliver(at: 200) == [newer])
    }

    @Test func whatCannotSucceedIsGivenUpAtOnceAndNobodyWaitsForIt() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.fail(at: 0, code: "refused", retriable: false)
        scene.settle(at: 0)
        #expect(scene.outbox.deadLetters == 1)
        let next = scene.crossed("search", 100, at: 1)
        #expect(try scene.deliver(at: 1) == [next])
    }

    @Test func aRetriedDeadLetterGoesFirstWithItsOldName() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        let plan = try scene.fail(at: 0, retriable: false)
        scene.settle(at: 0)
        scene.crossed("chat", at: 1)
        scene.retry(plan.notification, at: 2)
        let again = try scene.start(at: 2)
        #expect(again.notification == plan.notification && again.attempt == 2 && again.items == plan.items)
        #expect(scene.outbox.deadLetters == 0)
    }

    @Test func aSkippedDeadLetterIsForgotten() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        let plan = try scene.fail(at: 0, retriable: false)
        scene.settle(at: 0)
        scene.outbox.evolve(.notificationSkipped(.with { $0.notification = plan.notification }), at: OutboxScene.at(1))
        #expect(scene.outbox.deadLetters == 0 && scene.next(at: 1).isIdle)
    }
}
