import FinOps
import SwiftProtobuf
import TestSupport

/// What was found about limits, and what was told of it.
extension EventSamples {
    static let alerts: [FinOpsEvent] = [
        .thresholdSet(
            .with {
                $0.scope = "project"
                $0.name = "search-api"
                $0.daily = usd(nanos: 10_000_000_000).wire
                $0.weekly = usd(nanos: 50_000_000_000).wire
                $0.levels = [80, 100]
                $0.zone = "Asia/Seoul"
                $0.policy = "alert"
                $0.reason = "budget of 2026"
            }),
        .thresholdRemoved(
            .with {
                $0.scope = "team"
                $0.name = "search"
                $0.reason = "dissolved"
            }),
        .thresholdCrossed(
            .with {
                $0.scope = "project"
                $0.name = "search-api"
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.windowStart = 1_794_322_800
                $0.windowEnd = 1_794_409_200
                $0.zone = "Asia/Seoul"
                $0.level = 100
                $0.limit = usd(nanos: 10_000_000_000).wire
                $0.cost = usd(nanos: 12_340_000_000).wire
                $0.basis = "metered"
                $0.position = 4_711
                $0.usageThrough = 1_794_366_000
                $0.previous = usd(nanos: 4_000_000_001).wire
                $0.forecast = usd(nanos: 24_680_000_000).wire
                $0.cause = .with {
                    $0.provider = "openai"
                    $0.apiKeyID = "key_abc"
                    $0.model = "gpt-5"
                    $0.cost = usd(nanos: 9_000_000_000).wire
                    $0.growth = usd(nanos: 8_000_000_000).wire
                    $0.account = "acme"
                    $0.providerProjectID = "proj_abc"
                }
                $0.team = "search"
            }),
        .thresholdCleared(
            .with {
                $0.scope = "project"
                $0.name = "search-api"
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.zone = "Asia/Seoul"
                $0.level = 100
                $0.limit = usd(nanos: 10_000_000_000).wire
                $0.cost = usd(nanos: 9_990_000_000).wire
                $0.position = 4_800
                $0.reason = "cost"
                $0.team = "search"
            }),
        .alertAcknowledged(
            .with {
                $0.scope = "project"
                $0.name = "search-api"
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.reason = "we are on it"
            }),
        .alertSnoozed(
            .with {
                $0.scope = "organisation"
                $0.until = 1_794_409_200
                $0.reason = "load test"
            }),
        .conditionRaised(
            .with {
                $0.kind = "source-silent"
                $0.subject = "openai/acme"
                $0.since = 1_794_300_000
                $0.detail = "nothing for 26 h"
            }),
        .conditionEnded(
            .with {
                $0.kind = "source-silent"
                $0.subject = "openai/acme"
                $0.since = 1_794_300_000
                $0.detail = "usage again"
            }),
    ]

    static let notifications: [FinOpsEvent] = [
        .channelSet(
            .with {
                $0.channel = "mail"
                $0.transport = "smtp"
                $0.address = "smtp://mail.example.com:587"
                $0.secretID = "channel-mail"
                $0.secretVersion = 1
                $0.destinations = ["mail-ko", "mail-en"]
                $0.recipients = 3
                $0.reason = "administrators"
            }),
        .channelRemoved(
            .with {
                $0.channel = "sentry"
                $0.reason = "moved"
            }),
        .channelScheduleSet(
            .with {
                $0.channel = "mail"
                $0.quietFrom = 1_320
                $0.quietTo = 480
                $0.digestAt = 540
                $0.zone = "Asia/Seoul"
                $0.canary = true
                $0.reason = "nights"
            }),
        .notificationQueued(
            .with {
                $0.destination = "slack"
                $0.item = "4711"
                $0.kind = "crossed"
                $0.subject = "project/search-api"
                $0.cause = 4_711
                $0.urgent = true
                $0.correlation = "project/search-api/day/2026-11-11/100"
            }),
        .notificationStarted(
            .with {
                $0.destination = "slack"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b11"
                $0.items = ["4711", "4712"]
                $0.attempt = 2
                $0.uncertain = true
                $0.heldBack = 3
            }),
        .notificationDelivered(
            .with {
                $0.destination = "slack"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b11"
                $0.attempt = 2
                $0.answer = "200 ok"
                $0.milliseconds = 120
            }),
        .notificationFailed(
            .with {
                $0.destination = "slack"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b11"
                $0.attempt = 1
                $0.code = "throttled"
                $0.message = "429: wait 3 s"
                $0.uncertain = false
                $0.retriable = true
                $0.retryAt = 1_794_366_003_000
            }),
        .notificationAbandoned(
            .with {
                $0.destination = "mail-ko"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b12"
                $0.items = ["4711"]
                $0.attempts = 5
                $0.reason = "550 no such user"
            }),
        .notificationRetried(
            .with {
                $0.destination = "mail-ko"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b12"
                $0.reason = "address mended"
            }),
        .notificationSkipped(
            .with {
                $0.destination = "mail-ko"
                $0.notification = "0f7c1b9e-7d5a-5a51-9b4e-0a4f5c2f8b12"
                $0.reason = "old news"
            }),
        .notificationDropped(
            .with {
                $0.destination = "slack"
                $0.items = ["4713"]
                $0.reason = "cleared before it was sent"
            }),
    ]
}
