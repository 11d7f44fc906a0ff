import EventLog
import FinOps
import SwiftProtobuf
import Testing

@testable import Projections

@Suite struct AlertFoldTests {
    private let now = Timestamp(seconds: 1_790_000_000)

    private func log(_ events: [FinOpsEvent]) async throws -> ScenarioLog {
        let log = ScenarioLog()
        try await log.append(events)
        try await log.catchUp()
        return log
    }

    private func alerts(_ log: ScenarioLog, openOnly: Bool = false) throws -> [AlertEntry] {
        try ProjectionReader(path: log.files.current).alerts(AlertQuery(openOnly: openOnly, span: nil, limit: 50))
    }

    @Test func aCrossingIsARowWithEverythingThatWasKnown() async throws {
        let log = try await log([AlertEvents.crossed()])
        let alert = try #require(try alerts(log).first)
        #expect(alert.position == 1 && alert.time == now && alert.scope == "project" && alert.name == "search-api")
        #expect(alert.team == "search" && alert.window == "day" && alert.firstDay == "2026-11-11" && alert.level == 100)
        #expect(alert.limit == 10_000_000_000 && alert.cost == 12_340_000_000 && alert.currency == "USD")
        #expect(alert.previous == 4_000_000_001 && alert.forecast == 24_680_000_000 && alert.basis == "metered")
        #expect(alert.windowEnd == Timestamp(seconds: 1_794_409_200) && alert.causePosition == 7)
        #expect(alert.cause?.account == "acme" && alert.cause?.key == "key_abc" && alert.cause?.model == nil)
        #expect(alert.cause?.growth == 8_000_000_000)
        #expect(alert.state(now: now) == .open && alert.told == nil)
    }

    @Test func aStandingAlertIsNotFoundTwiceAndAClearedOneMayCrossAgain() async throws {
        let log = try await log([
            AlertEvents.crossed(level: 80), AlertEvents.crossed(), AlertEvents.crossed(), AlertEvents.cleared(),
            AlertEvents.cleared(cost: 1), AlertEvents.crossed(cost: 11_000_000_000),
        ])
        let all = try alerts(log)
        #expect(all.map(\.position) == [6, 2, 1])
        #expect(all.map { $0.state(now: now) } == [.open, .cleared, .open])
        #expect(all[1].clearing == .init(position: 4, time: now, reason: "cost", cost: 9_990_000_000))
        #expect(try alerts(log, openOnly: true).map(\.position) == [6, 1])
    }

    @Test func whatStandsIsAcknowledgedAndALaterLevelIsNewsAgain() async throws {
        let log = try await log([
            AlertEvents.crossed(level: 80), AlertEvents.crossed("other"), AlertEvents.acknowledged(),
            AlertEvents.crossed(),
        ])
        let all = try alerts(log)
        #expect(all.map { $0.state(now: now) } == [.open, .open, .acknowledged])
        #expect(all[2].acknowledged == now && all[2].acknowledgedBy == "someone")
        #expect(try alerts(log, openOnly: true).map(\.position) == [4, 2])
    }

    @Test func aSnoozeCountsUntilItIsOverAndForWhatIsFoundMeanwhile() async throws {
        let until = now.seconds + 60
        let log = try await log([
            AlertEvents.crossed(level: 80), AlertEvents.snoozed(until: until), AlertEvents.crossed(),
            AlertEvents.crossed("other"),
        ])
        let all = try alerts(log)
        #expect(all.map { $0.state(now: now) } == [.open, .snoozed, .snoozed])
        #expect(all.allSatisfy { $0.state(now: Timestamp(seconds: until)) == .open })
        #expect(try alerts(log, openOnly: true).count == 3)
        try await log.append([AlertEvents.snoozed(until: .max)])
        try await log.catchUp()
        #expect(try alerts(log).map { $0.state(now: Timestamp(seconds: until)) } == [.open, .snoozed, .snoozed])
    }

    @Test func alertsAreChosenByWhenTheyWereFound() async throws {
        let log = try await log([AlertEvents.crossed(), AlertEvents.raised(since: 5)])
        let reader = try ProjectionReader(path: log.files.current)
        let before = AlertQuery(openOnly: false, span: Timestamp(seconds: 0)..<now, limit: 9)
        let during = AlertQuery(openOnly: false, span: now..<now.advanced(bySeconds: 1), limit: 9)
        #expect(try reader.alerts(before).isEmpty && reader.conditions(before).isEmpty)
        #expect(try reader.alerts(during).count == 1 && reader.conditions(during).count == 1)
    }

    @Test func aConditionLastsUntilItEnds() async throws {
        let log = try await log([
            AlertEvents.raised(since: 5), AlertEvents.ended(since: 5), AlertEvents.raised(since: 9),
        ])
        let reader = try ProjectionReader(path: log.files.current)
        let all = try reader.conditions(AlertQuery(openOnly: false, span: nil, limit: 9))
        #expect(all.map(\.since) == [Timestamp(seconds: 9), Timestamp(seconds: 5)])
        #expect(all.map(\.ended) == [nil, now] && all.map(\.ending) == [nil, "usage again"])
        let open = try reader.conditions(AlertQuery(openOnly: true, span: nil, limit: 9))
        #expect(open.map(\.position) == [3])
    }

    @Test func whatAnAdministratorSaysIsInTheAuditLog() async throws {
        let log = try await log([
            .thresholdSet(
                .with {
                    $0.scope = "project"
                    $0.name = "search-api"
                    $0.daily = AlertEvents.usd(10_000_000_000)
                    $0.weekly = AlertEvents.usd(50_000_000_000)
                    $0.levels = [80, 100]
                    $0.zone = "Asia/Seoul"
                    $0.reason = "budget"
                }),
            .thresholdRemoved(
                .with {
                    $0.scope = "organisation"
                    $0.reason = "enough"
                }),
            .channelSet(
                .with {
                    $0.channel = "mail"
                    $0.transport = "smtp"
                    $0.address = "smtp://mail.example.com:587"
                    $0.destinations = ["mail-ko", "mail-en"]
                }),
            .channelScheduleSet(
                .with {
                    $0.channel = "mail"
                    $0.quietFrom = 1_320
                    $0.quietTo = 485
                    $0.digestAt = 540
                    $0.zone = "Asia/Seoul"
                    $0.canary = true
                }),
            .channelScheduleSet(.with { $0.channel = "slack" }), .channelRemoved(.with { $0.channel = "sentry" }),
            AlertEvents.acknowledged(), AlertEvents.snoozed(until: 1_794_409_200),
            .notificationRetried(
                .with {
                    $0.destination = "slack"
                    $0.notification = "one"
                    $0.reason = "mended"
                }),
        ])
        let told = try ProjectionReader(path: log.files.current).audit(limit: 50).reversed().map { entry in
            [entry.actor, entry.action, entry.subject, entry.detail, entry.reason].joined(separator: " | ")
        }
        #expect(
            told == [
                "someone | threshold.set | project/search-api | daily 10.000000000 USD, weekly 50.000000000 USD, "
                    + "at 80, 100 %, days of Asia/Seoul | budget",
                "someone | threshold.removed | organisation |  | enough",
                "someone | channel.set | mail | smtp smtp://mail.example.com:587 to mail-ko, mail-en | ",
                "someone | channel.schedule-set | mail | quiet from 22:00 to 08:05, digest at 09:00, canary, Asia/Seoul | ",
                "someone | channel.schedule-set | slack | none | ", "someone | channel.removed | sentry |  | ",
                "someone | alert.acknowledged | project/search-api | day 2026-11-11 | on it",
                "someone | alert.snoozed | project/search-api | until 2026-11-12T00:00:00+09:00 | load test",
                "someone | notification.retried | slack/one |  | mended",
            ])
    }
}

@Suite struct NotificationFoldTests {
    private let now = Timestamp(seconds: 1_790_000_000)

    private func reader(_ events: [FinOpsEvent]) async throws -> (ScenarioLog, ProjectionReader) {
        let log = ScenarioLog()
        try await log.append(events)
        try await log.catchUp()
        return (log, try ProjectionReader(path: log.files.current))
    }

    @Test func anAttemptIsARowAndItsDeliveryIsToldToTheAlert() async throws {
        let (log, reader) = try await reader([
            AlertEvents.crossed(), AlertEvents.queued("a", cause: 1), AlertEvents.queued("b", cause: 9, kind: .cleared),
            AlertEvents.queued("c", cause: 10), AlertEvents.started(items: ["a", "b"], heldBack: 1),
            AlertEvents.failed(), AlertEvents.started(items: ["a", "b"], attempt: 2, heldBack: 1),
            AlertEvents.delivered(attempt: 2),
        ])
        let attempts = try reader.notifications(destination: nil, limit: 9)
        #expect(attempts.map(\.attempt) == [2, 1] && attempts.map(\.state) == ["delivered", "failed"])
        #expect(attempts.allSatisfy { $0.kinds == "cleared,crossed" && $0.items == 2 && $0.heldBack == 1 })
        #expect(attempts[0].answer == "200 ok" && attempts[0].milliseconds == 120 && attempts[0].ended == now)
        #expect(attempts[1].code == "throttled" && attempts[1].retryAt == Timestamp(seconds: 1_794_366_003))
        #expect(try reader.waiting(destination: nil) == [WaitingItems(destination: "slack", items: 1, since: now)])
        let alert = try reader.alerts(AlertQuery(openOnly: false, span: nil, limit: 9)).first
        #expect(alert?.told == now)
        #expect(try reader.notifications(destination: "mail-ko", limit: 9).isEmpty)
        #expect(try await log.rebuild() == log.digest())
    }

    @Test func anAttemptWithoutAnOutcomeIsUncertainOnceAnotherBegins() async throws {
        let (_, reader) = try await reader([
            AlertEvents.queued("a", cause: 1), AlertEvents.started(items: ["a"]),
            AlertEvents.started(items: ["a"], attempt: 2, uncertain: true),
            AlertEvents.failed(attempt: 2, uncertain: true),
            AlertEvents.started(items: ["a"], attempt: 3, uncertain: true),
        ])
        let attempts = try reader.notifications(destination: nil, limit: 9)
        #expect(attempts.map(\.state) == ["started", "uncertain", "uncertain"])
        #expect(attempts.map(\.mayRepeat) == [true, true, false])
    }

    @Test func aMessageThatIsGivenUpIsRetriedOrSkipped() async throws {
        let abandoned = FinOpsEvent.notificationAbandoned(
            .with {
                $0.destination = "slack"
                $0.notification = "one"
                $0.items = ["a"]
                $0.attempts = 2
                $0.reason = "older than 24 h"
            })
        let begin = [
            AlertEvents.queued("a", cause: 1), AlertEvents.started(items: ["a"]), AlertEvents.failed(),
            AlertEvents.started(items: ["a"], attempt: 2), AlertEvents.failed(attempt: 2), abandoned,
        ]
        let (log, reader) = try await reader(begin)
        let dead = try reader.notifications(destination: nil, limit: 1)
        #expect(dead.map(\.state) == ["abandoned"] && dead.map(\.reason) == ["older than 24 h"])
        #expect(dead.map(\.code) == ["throttled"] && dead.map(\.retryAt) == [nil])
        #expect(try reader.waiting(destination: nil).isEmpty)

        try await log.append([
            .notificationRetried(
                .with {
                    $0.destination = "slack"
                    $0.notification = "one"
                    $0.reason = "mended"
                })
        ])
        try await log.catchUp()
        #expect(try reader.notifications(destination: nil, limit: 1).map(\.state) == ["retried"])
        #expect(try reader.waiting(destination: "slack").map(\.items) == [1])

        try await log.append([
            .notificationSkipped(
                .with {
                    $0.destination = "slack"
                    $0.notification = "one"
                    $0.reason = "old news"
                })
        ])
        try await log.catchUp()
        #expect(try reader.notifications(destination: nil, limit: 1).map(\.reason) == ["old news"])
        #expect(try reader.waiting(destination: "slack").isEmpty)
    }

    @Test func whatIsDroppedWaitsNoLonger() async throws {
        let (_, reader) = try await reader([
            AlertEvents.queued("a", cause: 1), AlertEvents.queued("b", cause: 2),
            .notificationDropped(
                .with {
                    $0.destination = "slack"
                    $0.items = ["a", "unknown"]
                }),
        ])
        #expect(try reader.waiting(destination: nil).map(\.items) == [1])
    }

    /// Every event twice in the log, and a rebuild beside it.
    @Test func eventsThatAreRepeatedChangeNothing() async throws {
        let events: [FinOpsEvent] = [
            AlertEvents.crossed(), AlertEvents.queued("a", cause: 1), AlertEvents.started(items: ["a"]),
            AlertEvents.failed(uncertain: true), AlertEvents.started(items: ["a"], attempt: 2, uncertain: true),
            AlertEvents.delivered(attempt: 2), AlertEvents.raised(since: 5), AlertEvents.ended(since: 5),
            AlertEvents.acknowledged(), AlertEvents.cleared(),
        ]
        func content(_ reader: ProjectionReader) throws -> [String] {
            let query = AlertQuery(openOnly: false, span: nil, limit: 50)
            let alerts = try reader.alerts(query).map { "\($0.name) \($0.state(now: now)) \($0.told == now)" }
            let attempts = try reader.notifications(destination: nil, limit: 50).map { "\($0.attempt) \($0.state)" }
            let conditions = try reader.conditions(query).map { "\($0.since) \($0.raised != nil) \($0.ended != nil)" }
            return alerts + attempts + conditions
        }
        let (_, once) = try await reader(events)
        let (log, twice) = try await reader(events.flatMap { [$0, $0] })
        #expect(try content(once) == content(twice))
        let live = try log.digest()
        #expect(try await log.rebuild() == live)
    }
}
