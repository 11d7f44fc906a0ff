import EventLog
import FinOps
import SwiftProtobuf
import Testing

@Suite struct OutboxTests {
    // MARK: One message an hour about a subject

    @Test func aCrossingIsSentAtOnce() throws {
        var scene = OutboxScene()
        #expect(scene.next(at: 0).isIdle)
        let item = scene.crossed("search", at: 1)
        #expect(try scene.deliver(at: 1) == [item])
        #expect(scene.next(at: 2).isIdle && scene.outbox.depth == 0)
    }

    @Test func whatComesWithinTheHourWaitsAndIsToldTogetherAndCounted() throws {
        var scene = OutboxScene()
        scene.crossed("search", 100, at: 0)
        try scene.deliver(at: 0)
        scene.crossed("search", 80, at: 10)
        let newest = scene.crossed("search", 100, at: 20)
        #expect(scene.next(at: 20).waitsUntil == 60)
        let plan = try scene.start(at: 60)
        #expect(plan.told.map(\.id) == [newest] && plan.heldBack == 1 && plan.items.count == 2)
    }

    @Test func aWarningDoesNotKeepBackThatTheLimitIsReached() throws {
        var scene = OutboxScene()
        scene.crossed("search", 80, at: 0)
        try scene.deliver(at: 0)
        let reached = scene.crossed("search", 100, at: 1)
        #expect(try scene.deliver(at: 1) == [reached])
        // Each level once an hour: the next hour begins with the message about as high a level.
        scene.crossed("search", 80, at: 2)
        #expect(scene.next(at: 2).waitsUntil == 61)
        let higher = scene.crossed("search", 120, at: 3)
        let plan = try scene.start(at: 3)
        #expect(plan.told.map(\.id) == [higher] && plan.heldBack == 1, "what the higher level says anyway is counted")
    }

    @Test func aHigherLevelThatWasToldKeepsLowerOnesOfItsSubjectBack() throws {
        var scene = OutboxScene()
        scene.crossed("search", 100, at: 0)
        try scene.deliver(at: 0)
        scene.cleared("search", 80, at: 5)
        scene.crossed("search", 80, at: 6)
        #expect(try scene.deliver(at: 6).count == 1, "the clearing")
        #expect(scene.next(at: 6).waitsUntil == 60)
    }

    @Test func anotherSubjectDoesNotWait() throws {
        var scene = OutboxScene()
        scene.crossed("search", 100, at: 0)
        try scene.deliver(at: 0)
        scene.crossed("search", 100, at: 1)
        let other = scene.crossed("chat", at: 1)
        #expect(try scene.deliver(at: 1) == [other])
    }

    @Test func levelsReachedTogetherAreOneFact() throws {
        var scene = OutboxScene()
        scene.crossed("search", 80, at: 0)
        let newest = scene.crossed("search", 100, at: 0)
        let plan = try scene.start(at: 0)
        #expect(plan.told.map(\.id) == [newest] && plan.heldBack == 1)
    }

    @Test func collectionFailuresShareOneHourWhateverTheAccount() throws {
        var scene = OutboxScene("mail-ko")
        scene.set(["mail-ko"])
        scene.collectionFailed(at: 0)
        try scene.deliver(at: 0)
        scene.collectionFailed("other", at: 5)
        scene.collectionFailed("acme", at: 10)
        let last = scene.collectionFailed("acme", at: 15)
        #expect(scene.next(at: 59).waitsUntil == 60)
        let plan = try scene.start(at: 60)
        #expect(plan.told.count == 2 && plan.heldBack == 1 && plan.told.last?.id == last)
    }

    @Test func aClearingOfWhatWasToldIsNotKeptBack() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        try scene.deliver(at: 0)
        let clearing = scene.cleared("search", at: 1)
        #expect(try scene.deliver(at: 1) == [clearing])
    }

    @Test func aCrossingTakenBackBeforeItWasToldIsDroppedWithItsClearing() throws {
        var scene = OutboxScene()
        scene.crossed("search", 120, at: 0)
        try scene.deliver(at: 0)
        let crossing = scene.crossed("search", 100, at: 1)
        let clearing = scene.cleared("search", 100, at: 2)
        #expect(scene.next(at: 2).dropped == [crossing, clearing])
        scene.settle(at: 2)
        let again = scene.crossed("search", 100, at: 3)
        #expect(try scene.deliver(at: 60) == [again])
    }

    @Test func aClockThatWasSetBackKeepsNothingWaiting() throws {
        var scene = OutboxScene(settings: .init())
        scene.crossed("search", at: 600)
        try scene.deliver(at: 600)
        let item = scene.crossed("search", at: 30)
        #expect(try scene.deliver(at: 30) == [item])
    }

    // MARK: What people want

    @Test func aSnoozeDelaysAndAnEndedOneDoesNot() throws {
        var scene = OutboxScene()
        scene.snooze("search", until: 90, at: 0)
        scene.crossed("search", 100, at: 1)
        let other = scene.crossed("chat", at: 1)
        #expect(try scene.deliver(at: 1) == [other])
        #expect(scene.next(at: 2).waitsUntil == 90)
        scene.snooze("search", until: 0, at: 5)
        #expect(scene.next(at: 5).plan != nil)
    }

    @Test func whatSomebodyLooksAfterIsDroppedAndWhatFollowsIsTold() throws {
        var scene = OutboxScene()
        scene.snooze("search", until: 90, at: 0)
        let old = scene.crossed("search", 80, at: 1)
        scene.acknowledge("search", at: 2)
        let new = scene.crossed("search", 100, at: 3)
        #expect(scene.next(at: 3).dropped == [old])
        scene.settle(at: 3)
        #expect(try scene.deliver(at: 90) == [new])
    }

    @Test func quietHoursOverMidnightKeepAllButTheUrgent() throws {
        var scene = OutboxScene()
        scene.schedule(quiet: (22 * 60, 7 * 60))
        scene.crossed("search", 80, at: 60)
        #expect(scene.next(at: 60).waitsUntil == 420)
        #expect(scene.next(at: 23 * 60).waitsUntil == 1_860)
        let urgent = scene.crossed("chat", 100, at: 61)
        #expect(try scene.deliver(at: 61) == [urgent])
        #expect(try scene.deliver(at: 7 * 60).count == 1)
    }

    @Test func aDigestGathersUntilItsTime() throws {
        var scene = OutboxScene()
        scene.schedule(digest: 9 * 60)
        scene.crossed("search", 80, at: 60)
        scene.crossed("chat", 80, at: 120)
        #expect(scene.next(at: 120).waitsUntil == 540)
        #expect(try scene.deliver(at: 9 * 60).count == 2)
        scene.crossed("mail", 80, at: 9 * 60 + 1)
        #expect(scene.next(at: 10 * 60).waitsUntil == 1_980)
    }

    @Test func aTestWaitsForNothing() throws {
        var scene = OutboxScene()
        scene.schedule(quiet: (0, 600), digest: 700)
        scene.crossed("search", 80, at: 1)
        let test = scene.tested(at: 2)
        #expect(try scene.deliver(at: 2) == [test])
    }

    @Test func aChannelThatIsGoneHasNothingToTell() throws {
        var scene = OutboxScene()
        let failing = scene.crossed("search", at: 0)
        try scene.fail(at: 0)
        let waiting = scene.crossed("chat", at: 0)
        scene.remove(at: 1)
        #expect(scene.next(at: 1).dropped == [failing])
        scene.settle(at: 1)
        #expect(scene.next(at: 1).dropped == [waiting])
        scene.settle(at: 1)
        #expect(scene.next(at: 1).isIdle && scene.outbox.depth == 0)
    }

    @Test func theCanaryFliesOnceADayAtNine() throws {
        var scene = OutboxScene()
        #expect(scene.outbox.canary(at: OutboxScene.at(600)) == nil)
        scene.schedule(canary: true, at: 10)
        #expect(scene.outbox.canary(at: OutboxScene.at(539)) == nil)
        let canary = try #require(scene.outbox.canary(at: OutboxScene.at(540)))
        #expect(canary.item == "canary-2026-11-20")
        scene.outbox.evolve(.notificationQueued(canary), at: OutboxScene.at(540))
        #expect(scene.outbox.canary(at: OutboxScene.at(1_000)) == nil)
        #expect(scene.outbox.canary(at: OutboxScene.at(1_980))?.item == "canary-2026-11-21")
    }

    @Test func aCanaryAskedForInTheAfternoonFliesTomorrow() {
        var scene = OutboxScene()
        scene.schedule(canary: true, at: 900)
        #expect(scene.outbox.canary(at: OutboxScene.at(901)) == nil)
        #expect(scene.outbox.canary(at: OutboxScene.at(1_980)) != nil)
        var errors = OutboxScene("sentry")
        errors.schedule(canary: true, at: 10)
        #expect(errors.outbox.canary(at: OutboxScene.at(600)) == nil)
    }

    // MARK: Names

    @Test func namesAreTheSameAgainAndNeverTheSameForTwo() throws {
        var scene = OutboxScene()
        scene.crossed("search", at: 0)
        #expect(scene.next(at: 0).plan?.notification == scene.next(at: 5).plan?.notification)
        var other = OutboxScene("mail-ko")
        other.set(["mail-ko"])
        other.crossed("search", at: 0)
        #expect(scene.next(at: 0).plan?.notification != other.next(at: 0).plan?.notification)
    }
}
