import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct AbandonedNotificationsTests {
    private var abandoned: FinOpsEvent {
        .notificationAbandoned(.with { ($0.destination, $0.notification, $0.attempts) = ("slack", "n1", 7) })
    }

    private var retried: FinOpsEvent {
        .notificationRetried(.with { ($0.destination, $0.notification, $0.reason) = ("slack", "n1", "mended") })
    }

    private var skipped: FinOpsEvent {
        .notificationSkipped(.with { ($0.destination, $0.notification, $0.reason) = ("slack", "n1", "old") })
    }

    private let retry = AbandonedNotifications.Command.retry(
        destination: "slack", notification: "n1", reason: "mended")
    private let skip = AbandonedNotifications.Command.skip(destination: "slack", notification: "n1", reason: "old")

    @Test func aMessageThatWasGivenUpIsRetriedOrSkippedOnce() {
        given(AbandonedNotifications.self, abandoned).when(retry).then(retried)
        given(AbandonedNotifications.self, abandoned, retried).when(retry).thenNothing()
        given(AbandonedNotifications.self, abandoned).when(skip).then(skipped)
        given(AbandonedNotifications.self, abandoned, skipped).when(skip).thenNothing()
    }

    @Test func whatIsGivenUpAgainWaitsForAnAnswerAgain() {
        given(AbandonedNotifications.self, abandoned, retried, abandoned).when(retry).then(retried)
        given(AbandonedNotifications.self, abandoned, retried, abandoned).when(skip).then(skipped)
    }

    @Test func anAnswerIsNotTakenBack() {
        given(AbandonedNotifications.self, abandoned, retried).when(skip)
            .thenRejects(.alreadyAnswered(destination: "slack", notification: "n1", .retried))
        given(AbandonedNotifications.self, abandoned, skipped).when(retry)
            .thenRejects(.alreadyAnswered(destination: "slack", notification: "n1", .skipped))
    }

    @Test func whatWasNeverGivenUpHasNoAnswer() {
        given(AbandonedNotifications.self).when(retry)
            .thenRejects(.notAbandoned(destination: "slack", notification: "n1"))
    }
}
