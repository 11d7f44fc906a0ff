import EventLog
import FinOps
import TestSupport
import Testing

@testable import Stages

@Suite struct CollectionScheduleTests {
    private func schedule(_ zone: String = "Asia/Seoul", poll: Int64 = 300) throws -> CollectionSchedule {
        CollectionSchedule(
            calendar: try #require(BusinessCalendar(zone)), dailySeconds: 9 * 3_600, pollSeconds: poll, trailingDays: 3)
    }

    private func at(_ day: String, _ hourOfDay: Int64, _ minute: Int64 = 0, _ second: Int64 = 0) -> Timestamp {
        Timestamp(seconds: hour(day, hourOfDay) + minute * 60 + second)
    }

    @Test func theDailyRunIsDueAtNineInTheBusinessZone() throws {
        let schedule = try schedule()  // 09:00 in Seoul is midnight in UTC.
        #expect(schedule.dailyDate(at: at("2026-11-15", 23, 59, 59)) == day("2026-11-15"))
        #expect(schedule.dailyDate(at: at("2026-11-16", 0)) == day("2026-11-16"))
        #expect(schedule.dailyDate(at: at("2026-11-16", 23, 59)) == day("2026-11-16"))
    }

    @Test func aDailyRunReadsYesterdayAndTheTrailingDays() throws {
        #expect(try schedule().days(ofDailyRun: day("2026-11-16")) == day("2026-11-12")...day("2026-11-15"))
    }

    @Test func pollsFallOnWholeIntervalsHoweverManyWereMissed() throws {
        let schedule = try schedule()
        #expect(schedule.next(after: at("2026-11-16", 1, 2, 3)) == at("2026-11-16", 1, 5))
        #expect(schedule.next(after: at("2026-11-16", 1, 5)) == at("2026-11-16", 1, 10))
    }

    @Test func theDailyRunIsNotMissedBetweenRarePolls() throws {
        let schedule = try schedule(poll: 7 * 3_600)
        #expect(schedule.next(after: at("2026-11-15", 23, 30)) == at("2026-11-16", 0))
    }

    @Test func nineIsNineAlsoOnDaysOf23And25Hours() throws {
        let schedule = try schedule("America/New_York", poll: 86_400 * 31)
        // 2026-03-08 has 23 hours: 09:00 EDT is 13:00 UTC; the day before it was 14:00.
        #expect(schedule.next(after: at("2026-03-07", 14, 0)) == at("2026-03-08", 13))
        #expect(schedule.next(after: at("2026-03-07", 13, 0)) == at("2026-03-07", 14))
        // 2026-11-01 has 25 hours: 09:00 EST is 14:00 UTC.
        #expect(schedule.next(after: at("2026-11-01", 0)) == at("2026-11-01", 14))
    }
}

@Suite struct CollectionLoopTests {
    /// 10:00 in Seoul on Monday the 16th.
    private static let monday = Timestamp(seconds: hour("2026-11-16", 1))
    private let scene = CollectionScene(now: CollectionLoopTests.monday)

    private static let schedule = CollectionSchedule(
        calendar: .seoul, dailySeconds: 9 * 3_600, pollSeconds: 300, trailingDays: 3)

    private func loop(
        requests: DailyRequests? = nil, sleep: @escaping @Sendable (Timestamp) async throws -> Void = { _ in },
        _ source: @escaping @Sendable (WireConnectionMade) async throws(SourceFailure) -> any UsageSource
    ) -> CollectionLoop {
        CollectionLoop(
            provider: "openai", schedule: Self.schedule, log: scene.log, open: source, sleep: sleep,
            environment: scene.environment, requests: requests)
    }

    private func batch(_ requests: DailyRequests) -> DailyBatch {
        let scene = scene
        return DailyBatch(
            provider: "openai", schedule: Self.schedule, log: scene.log, requests: requests, now: { scene.now })
    }

    private func connect(_ name: String, mask: String = "sk-…0001") async throws {
        var made = WireConnectionMade()
        made.provider = "openai"
        made.account = name
        made.keyMask = mask
        let producer = FreshProducer(store: scene.log, name: ProducerName("connect-\(name)-\(mask)"), pause: { _ in })
        let event = FinOpsEvent.connectionMade(made).newEvent(id: scene.environment.newID(), occurred: scene.now)
        try await producer.append([StreamAppend(.connection(provider: "openai", account: name), [event])])
    }

    private func runs() async throws -> [String] {
        try await scene.events().compactMap { event in
            switch event {
            case .runFinished(let run): "\(run.account) \(run.kind) \(run.fromDay)"
            case .runFailed(let run): "\(run.account) \(run.kind) \(run.code)"
            default: nil
            }
        }
    }

    @Test func aMissedDailyRunIsMadeUpForAtTheStartAndDoneOnce() async throws {
        try await connect("acme")
        let source = scene.source
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop { _ in source }.round(&rests)
        #expect(try await runs() == ["acme daily 2026-11-12", "acme poll 2026-11-16"])
        scene.set(Self.monday.advanced(bySeconds: 300))
        // Another process, after a restart: the log remembers.
        var others: [WireConnectionMade: Timestamp] = [:]
        try await loop { _ in source }.round(&others)
        #expect(try await runs().suffix(1) == ["acme poll 2026-11-16"])
        #expect(try await runs().count == 3)
    }

    @Test func aFailedDailyRunIsTriedAgainAtTheNextRound() async throws {
        try await connect("acme")
        let source = scene.source
        source.change { $0.usageFailure = SourceFailure(.unavailable, "500") }
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop { _ in source }.round(&rests)
        #expect(try await runs() == ["acme daily unavailable"])
        source.change { $0.usageFailure = nil }
        try await loop { _ in source }.round(&rests)
        #expect(try await runs().count == 3)
    }

    @Test func aRefusedKeyRestsUntilItIsReplaced() async throws {
        try await connect("acme")
        let source = scene.source
        source.change { $0.usageFailure = SourceFailure(.notAuthorised, "401") }
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop { _ in source }.round(&rests)
        try await loop { _ in source }.round(&rests)
        #expect(try await runs().count == 1)
        try await connect("acme", mask: "sk-…0002")
        source.change { $0.usageFailure = nil }
        try await loop { _ in source }.round(&rests)
        #expect(try await runs().count == 3)
    }

    @Test func oneAccountThatFailsDoesNotStopTheOthers() async throws {
        try await connect("acme")
        try await connect("absent")
        let source = scene.source
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop { connection throws(SourceFailure) in
            guard connection.account == "acme" else { throw SourceFailure(.misconfigured, "no key") }
            return source
        }.round(&rests)
        #expect(try await runs().contains("acme poll 2026-11-16"))
        #expect(rests.keys.map(\.account) == ["absent"])
    }

    /// 07:00 in Seoul on Tuesday the 17th: two hours before the schedule's own run.
    private static let early = monday.advanced(bySeconds: 21 * 3_600)

    @Test func aDayThatIsAskedForEarlyIsCollectedOnceAndNotAgainAtNine() async throws {
        try await connect("acme")
        scene.set(Self.early)
        let (source, requests) = (scene.source, DailyRequests())
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop(requests: requests) { _ in source }.round(&rests)
        #expect(try await runs() == ["acme daily 2026-11-12", "acme poll 2026-11-17"])
        let first = try await batch(requests).ask()
        #expect(first.state == .started && first.days == day("2026-11-13")...day("2026-11-16"))
        #expect(try await batch(requests).ask().state == .underWay)
        try await loop(requests: requests) { _ in source }.round(&rests)
        #expect(try await runs().suffix(2) == ["acme daily 2026-11-13", "acme poll 2026-11-17"])
        #expect(try await batch(requests).ask().state == .finished)
        scene.set(Self.early.advanced(bySeconds: 2 * 3_600))
        try await loop(requests: requests) { _ in source }.round(&rests)
        #expect(try await runs().count == 5)
        #expect(try await batch(requests).ask().state == .finished)
    }

    @Test func theScheduledRunIsNotRepeatedForWhoAsksLater() async throws {
        try await connect("acme")
        let source = scene.source
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop { _ in source }.round(&rests)
        let answer = try await batch(DailyRequests()).ask()
        #expect(answer.state == .finished && answer.accounts == [.init(name: "acme", state: .finished)])
    }

    @Test func aRunThatWasAskedForAndFailedGoesOnAfterARestart() async throws {
        try await connect("acme")
        scene.set(Self.early)
        let (source, requests) = (scene.source, DailyRequests())
        source.change { $0.usageFailure = SourceFailure(.unavailable, "500") }
        _ = try await batch(requests).ask()
        var rests: [WireConnectionMade: Timestamp] = [:]
        try await loop(requests: requests) { _ in source }.round(&rests)
        #expect(try await runs() == ["acme daily unavailable"])
        source.change { $0.usageFailure = nil }
        let restarted = DailyRequests()
        let again = try await batch(restarted).ask()
        #expect(again.state == .underWay && again.accounts.map(\.state) == [.failed])
        try await loop(requests: DailyRequests()) { _ in source }.round(&rests)
        #expect(try await runs().contains("acme daily 2026-11-13"))
    }

    @Test func nobodyIsCollectedWhereNobodyIsConnected() async throws {
        #expect(try await batch(DailyRequests()).ask().state == .nothingConnected)
    }

    @Test func aRequestWakesTheLoop() async throws {
        try await connect("acme")
        scene.set(Self.early)
        let (source, requests) = (scene.source, DailyRequests())
        let (rounds, told) = AsyncStream<Void>.makeStream()
        let loop = loop(requests: requests, sleep: { _ in try await Task.sleep(for: .seconds(3_600)) }) { _ in source }
        let task = Task { try await loop.run { _ in told.yield() } }
        var iterator = rounds.makeAsyncIterator()
        await iterator.next()
        #expect(try await batch(requests).ask().state == .started)
        await iterator.next()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aCancelledLoopEnds() async throws {
        let source = scene.source
        let loop = loop { _ in source }
        let (rounds, told) = AsyncStream<Void>.makeStream()
        let task = Task {
            try await loop.run { _ in
                told.yield()
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        for await _ in rounds { break }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
