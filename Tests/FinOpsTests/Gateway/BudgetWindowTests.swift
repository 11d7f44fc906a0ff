import EventLog
import FinOps
import TestSupport
import Testing

/// When a limit's window ends: at midnight of its zone, whatever that is in UTC.
@Suite struct BudgetWindowTests {
    private typealias World = BudgetWorld

    private static func seconds(_ day: String, _ hour: Int, _ minute: Int = 0) -> Timestamp {
        Day(day)!.utcStart.advanced(bySeconds: Int64(hour * 3_600 + minute * 60))
    }

    private func refusal(_ answer: BudgetAnswer) throws -> LimitReached {
        guard case .refused(let reached) = answer else { throw Unrefused(answer: answer) }
        return reached
    }

    private struct Unrefused: Error { let answer: BudgetAnswer }

    @Test(arguments: [
        ("Asia/Seoul", seconds("2026-11-21", 15)),
        // Days of 23 and of 25 hours, and one of 24 and a half.
        ("America/New_York", seconds("2027-03-15", 4)), ("America/New_York", seconds("2027-11-08", 5)),
        ("Australia/Lord_Howe", seconds("2027-04-04", 13, 30)),
        // Half past an hour of UTC, and a quarter past.
        ("Asia/Kolkata", seconds("2026-11-21", 18, 30)), ("Asia/Kathmandu", seconds("2026-11-21", 18, 15)),
    ])
    func aDaysLimitHoldsUntilItsZonesMidnightAndNotLonger(_ zone: String, _ midnight: Timestamp) throws {
        var world = World(Watched.threshold(.project("chat"), daily: 100, zone: zone, policy: "block"))
        let last = midnight.advanced(bySeconds: -1)
        let (call, answer) = world.ask(120, at: last)
        #expect(answer == .admitted)
        world.end(call, cents: 120, at: last)
        #expect(try refusal(world.ask(1, at: last).answer).resets == midnight)

        // A call of the new day counts there from its first minutes on.
        let early = midnight.advanced(bySeconds: 300)
        let (next, admitted) = world.ask(120, at: early)
        #expect(admitted == .admitted)
        world.end(next, cents: 120, at: early)
        let resets = try refusal(world.ask(1, at: early.advanced(bySeconds: 60)).answer).resets
        #expect((23 * 3_600...25 * 3_600).contains(resets.seconds - midnight.seconds))
    }

    @Test func aWeeksLimitHoldsUntilMonday() throws {
        var world = World(Watched.threshold(.project("chat"), weekly: 100, policy: "block"))
        let monday = Self.seconds("2026-11-22", 15)
        let (call, _) = world.ask(120)
        world.end(call, cents: 120)
        let sunday = monday.advanced(bySeconds: -1)
        let reached = try refusal(world.ask(1, at: sunday).answer)
        #expect(reached.window.kind == .week && reached.resets == monday)
        #expect(world.ask(1, at: monday).answer == .admitted)
    }

    @Test func ofADaysAndAWeeksLimitTheOneThatIsReachedHolds() throws {
        var world = World(Watched.threshold(.project("chat"), daily: 100, weekly: 150, policy: "block"))
        let (first, _) = world.ask(100)
        world.end(first, cents: 100)
        #expect(try refusal(world.ask(1).answer).window.kind == .day)
        let tomorrow = World.noon.advanced(bySeconds: 86_400)
        let (second, answer) = world.ask(60, at: tomorrow)
        #expect(answer == .admitted)
        world.end(second, cents: 60, at: tomorrow)
        #expect(try refusal(world.ask(1, at: tomorrow).answer).window.kind == .week)
    }
}
