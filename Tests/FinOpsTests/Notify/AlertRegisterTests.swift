import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct AlertRegisterTests {
    private static let scope = CostScope.project("chat")
    private static let today = AlertWindow(.day, firstDay: day("2026-11-22"))
    private static let week = AlertWindow(.week, firstDay: day("2026-11-16"))

    private var armed: FinOpsEvent { .thresholdSet(.with { ($0.scope, $0.name) = ("project", "chat") }) }
    private var disarmed: FinOpsEvent { .thresholdRemoved(.with { ($0.scope, $0.name) = ("project", "chat") }) }

    private func acknowledged(_ window: AlertWindow) -> FinOpsEvent {
        .alertAcknowledged(
            .with {
                ($0.scope, $0.name, $0.reason) = ("project", "chat", "mine")
                ($0.window, $0.firstDay) = (window.kind.rawValue, window.firstDay.description)
            })
    }

    private func snoozed(until: Int64) -> FinOpsEvent {
        .alertSnoozed(.with { ($0.scope, $0.name, $0.until, $0.reason) = ("project", "chat", until, "test") })
    }

    private func acknowledge(_ standing: AlertRegister.Standing...) -> AlertRegister.Command {
        .acknowledge(Self.scope, standing, reason: "mine")
    }

    private func snooze(until: Int64) -> AlertRegister.Command {
        .snooze(Self.scope, until: until, now: 1_000, reason: "test")
    }

    @Test func everyWindowThatStandsIsAcknowledgedOnce() {
        let both = acknowledge(.init(Self.week, isUnanswered: true), .init(Self.today, isUnanswered: true))
        given(AlertRegister.self, armed).when(both).then(acknowledged(Self.week), acknowledged(Self.today))
        given(AlertRegister.self, armed, acknowledged(Self.week))
            .when(acknowledge(.init(Self.week, isUnanswered: false), .init(Self.today, isUnanswered: true)))
            .then(acknowledged(Self.today))
        given(AlertRegister.self, armed, acknowledged(Self.week))
            .when(acknowledge(.init(Self.week, isUnanswered: false))).thenNothing()
    }

    @Test func whatWasFoundSinceIsAcknowledgedAnew() {
        given(AlertRegister.self, armed, acknowledged(Self.today))
            .when(acknowledge(.init(Self.today, isUnanswered: true))).then(acknowledged(Self.today))
    }

    @Test func whereNothingStandsNothingIsAcknowledged() {
        given(AlertRegister.self, armed).when(acknowledge()).thenRejects(.nothingStands(Self.scope))
    }

    @Test func aSnoozeEndsAtAMomentOrWhenSomebodySaysSo() {
        given(AlertRegister.self, armed).when(snooze(until: 2_000)).then(snoozed(until: 2_000))
        given(AlertRegister.self, armed, snoozed(until: 2_000)).when(snooze(until: 2_000)).thenNothing()
        given(AlertRegister.self, armed, snoozed(until: 2_000)).when(snooze(until: 3_000))
            .then(snoozed(until: 3_000))
        let wake = AlertRegister.Command.wake(Self.scope, now: 1_500, reason: "test")
        given(AlertRegister.self, armed, snoozed(until: 2_000)).when(wake).then(snoozed(until: 1_500))
        given(AlertRegister.self, armed, snoozed(until: 1_500)).when(wake).thenNothing()
        given(AlertRegister.self, armed).when(wake).thenNothing()
    }

    @Test func aSnoozeIsForAThresholdAndForAWhile() {
        given(AlertRegister.self).when(snooze(until: 2_000)).thenRejects(.noThreshold(Self.scope))
        given(AlertRegister.self, armed, disarmed).when(snooze(until: 2_000)).thenRejects(.noThreshold(Self.scope))
        given(AlertRegister.self, armed).when(snooze(until: 1_000)).thenRejects(.snoozeIsOver)
        given(AlertRegister.self, armed).when(snooze(until: 1_001 + 30 * 86_400)).thenRejects(.snoozeIsTooLong)
    }
}

@Suite struct AlertBoardTests {
    /// Events as the log records them, at positions from 1, a minute apart.
    private func board(_ events: FinOpsEvent...) throws -> AlertBoard {
        var board = AlertBoard()
        for (index, event) in events.enumerated() {
            let at = Timestamp(seconds: Int64(index + 1) * 60)
            let new = event.newEvent(id: EventID(high: 0, low: UInt64(index) + 1), occurred: at, actor: "p\(index + 1)")
            try board.take(
                RecordedEvent(
                    position: Position(UInt64(index) + 1), stream: "any", version: StreamVersion(1), recorded: at,
                    producer: "test", producerSequence: 1, event: new))
        }
        return board
    }

    private func crossed(_ level: UInt32, window: String = "day", from day: String = "2026-11-22") -> FinOpsEvent {
        .thresholdCrossed(
            .with {
                ($0.scope, $0.name, $0.window, $0.firstDay, $0.level) = ("project", "chat", window, day, level)
            })
    }

    private func cleared(_ level: UInt32) -> FinOpsEvent {
        .thresholdCleared(
            .with {
                ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", "chat", "day", "2026-11-22")
                ($0.level, $0.reason) = (level, "cost")
            })
    }

    private var acknowledged: FinOpsEvent {
        .alertAcknowledged(
            .with { ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", "chat", "day", "2026-11-22") })
    }

    private let chat = CostScope.project("chat")
    private let today = AlertWindow(.day, firstDay: day("2026-11-22"))

    @Test func whatWasClearedStandsNoMoreUntilItIsFoundAgain() throws {
        let gone = try board(crossed(80), cleared(80))
        #expect(gone.alerts.map(\.clearing) == ["cost"])
        #expect(gone.standing(chat).isEmpty)
        let back = try board(crossed(80), cleared(80), crossed(80))
        #expect(back.alerts.map(\.cleared) == [nil])
        #expect(back.alerts.map(\.first.seconds) == [60])
        #expect(back.standing(chat) == [.init(today, isUnanswered: true)])
    }

    @Test func anAcknowledgementIsForWhatWasFoundBefore() throws {
        let answered = try board(crossed(80), acknowledged)
        #expect(answered.standing(chat) == [.init(today, isUnanswered: false)])
        #expect(answered.alerts.compactMap { answered.acknowledgement(of: $0)?.actor } == ["p2"])
        let more = try board(crossed(80), acknowledged, crossed(100))
        #expect(more.alerts.map(\.level) == [100, 80])
        #expect(more.alerts.map { more.acknowledgement(of: $0)?.actor } == [nil, "p2"])
        #expect(more.standing(chat) == [.init(today, isUnanswered: true)])
    }

    @Test func theNewestWindowsComeFirst() throws {
        let board = try board(
            crossed(80, window: "week", from: "2026-11-16"), crossed(80, from: "2026-11-21"), crossed(80),
            crossed(100))
        #expect(
            board.alerts.map { "\($0.window.kind) \($0.window.firstDay) \($0.level)" } == [
                "day 2026-11-22 100", "day 2026-11-22 80", "day 2026-11-21 80", "week 2026-11-16 80",
            ])
    }

    @Test func aSnoozeIsShownWhileItLasts() throws {
        let board = try board(.alertSnoozed(.with { ($0.scope, $0.name, $0.until) = ("project", "chat", 500) }))
        #expect(board.snoozed(chat, at: Timestamp(seconds: 499)) == 500)
        #expect(board.snoozed(chat, at: Timestamp(seconds: 500)) == nil)
        #expect(board.snoozes(at: Timestamp(seconds: 499)).map(\.until) == [500])
        #expect(board.snoozes(at: Timestamp(seconds: 500)).isEmpty)
    }

    @Test func aConditionStandsUntilItEnds() throws {
        let raised = FinOpsEvent.conditionRaised(.with { ($0.kind, $0.subject) = ("source-silent", "acme") })
        let ended = FinOpsEvent.conditionEnded(.with { ($0.kind, $0.subject) = ("source-silent", "acme") })
        #expect(try board(raised).conditions.map(\.ended) == [nil])
        #expect(try board(raised, ended).conditions.map(\.ended?.seconds) == [120])
        #expect(try board(raised, ended, raised).conditions.map(\.ended) == [nil])
    }

    @Test func theStreamsOfTheLastDaysAreNamedWithoutLookingForThem() {
        let names = AlertBoard.streams(around: day("2026-11-22")).map(\.text)
        #expect(names.first == "alert-day-2026-11-14")
        #expect(names.contains("alert-day-2026-11-23"))
        #expect(
            names.filter { $0.hasPrefix("alert-week-") } == [
                "alert-week-2026-11-09", "alert-week-2026-11-16", "alert-week-2026-11-23",
            ])
    }
}
