import FinOps
import SwiftProtobuf

/// Alerts and messages as the tests of the projections write them.
enum AlertEvents {
    static func usd(_ nanos: Int64) -> WireMoney {
        .with {
            $0.nanos = nanos
            $0.currency = "USD"
        }
    }

    static func crossed(
        _ name: String = "search-api", level: UInt32 = 100, day: String = "2026-11-11", cost: Int64 = 12_340_000_000
    ) -> FinOpsEvent {
        .thresholdCrossed(
            .with {
                $0.scope = "project"
                $0.name = name
                $0.team = "search"
                $0.window = "day"
                $0.firstDay = day
                $0.windowStart = 1_794_322_800
                $0.windowEnd = 1_794_409_200
                $0.zone = "Asia/Seoul"
                $0.level = level
                $0.limit = usd(10_000_000_000)
                $0.cost = usd(cost)
                $0.basis = "metered"
                $0.position = 7
                $0.usageThrough = 1_794_366_000
                $0.previous = usd(4_000_000_001)
                $0.forecast = usd(24_680_000_000)
                $0.cause = .with {
                    $0.provider = "openai"
                    $0.account = "acme"
                    $0.apiKeyID = "key_abc"
                    $0.cost = usd(9_000_000_000)
                    $0.growth = usd(8_000_000_000)
                }
            })
    }

    static func cleared(_ name: String = "search-api", level: UInt32 = 100, cost: Int64 = 9_990_000_000) -> FinOpsEvent
    {
        .thresholdCleared(
            .with {
                $0.scope = "project"
                $0.name = name
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.level = level
                $0.limit = usd(10_000_000_000)
                $0.cost = usd(cost)
                $0.reason = "cost"
            })
    }

    static func acknowledged(_ name: String = "search-api") -> FinOpsEvent {
        .alertAcknowledged(
            .with {
                $0.scope = "project"
                $0.name = name
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.reason = "on it"
            })
    }

    static func snoozed(until second: Int64, _ name: String = "search-api") -> FinOpsEvent {
        .alertSnoozed(
            .with {
                $0.scope = "project"
                $0.name = name
                $0.until = second
                $0.reason = "load test"
            })
    }

    static func raised(since: Int64) -> FinOpsEvent {
        .conditionRaised(
            .with {
                $0.kind = "source-silent"
                $0.subject = "openai/acme"
                $0.since = since
                $0.detail = "nothing for 26 h"
            })
    }

    static func ended(since: Int64) -> FinOpsEvent {
        .conditionEnded(
            .with {
                $0.kind = "source-silent"
                $0.subject = "openai/acme"
                $0.since = since
                $0.detail = "usage again"
            })
    }

    static func queued(_ item: String, cause: UInt64, kind: FactKind = .crossed, to destination: String = "slack")
        -> FinOpsEvent
    {
        .notificationQueued(
            .with {
                $0.destination = destination
                $0.item = item
                $0.kind = kind.rawValue
                $0.subject = "project/search-api"
                $0.cause = cause
            })
    }

    static func started(
        _ notification: String = "one", items: [String], attempt: UInt32 = 1, uncertain: Bool = false,
        heldBack: UInt32 = 0, to destination: String = "slack"
    ) -> FinOpsEvent {
        .notificationStarted(
            .with {
                $0.destination = destination
                $0.notification = notification
                $0.items = items
                $0.attempt = attempt
                $0.uncertain = uncertain
                $0.heldBack = heldBack
            })
    }

    static func delivered(_ notification: String = "one", attempt: UInt32 = 1) -> FinOpsEvent {
        .notificationDelivered(
            .with {
                $0.destination = "slack"
                $0.notification = notification
                $0.attempt = attempt
                $0.answer = "200 ok"
                $0.milliseconds = 120
            })
    }

    static func failed(_ notification: String = "one", attempt: UInt32 = 1, uncertain: Bool = false) -> FinOpsEvent {
        .notificationFailed(
            .with {
                $0.destination = "slack"
                $0.notification = notification
                $0.attempt = attempt
                $0.code = "throttled"
                $0.message = "429: wait 3 s"
                $0.uncertain = uncertain
                $0.retriable = true
                $0.retryAt = 1_794_366_003_000
            })
    }
}
