import EventLog
import FinOps
import Notices
import SwiftProtobuf
import TestSupport
import Testing

/// A notice of each kind, as the pipeline makes them.
enum Samples {
    static let settings = NoticeSettings(consoleURL: "https://finops.example.com", zone: "Asia/Seoul")

    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let notice: Notice
        var testDescription: String { name }
    }

    static let all: [Sample] = [
        sample("crossed", .crossed, .thresholdCrossed(crossed)),
        sample("crossed-week", .crossed, .thresholdCrossed(weekly)),
        sample("warned", .crossed, .thresholdCrossed(warned)),
        sample("cleared", .cleared, .thresholdCleared(cleared(reason: "cost"))),
        sample("cleared-limit", .cleared, .thresholdCleared(cleared(reason: "limit"))),
        sample("cleared-removed", .cleared, .thresholdCleared(cleared(reason: "removed"))),
        sample("cleared-zone", .cleared, .thresholdCleared(cleared(reason: "zone"))),
        sample("collection-failed", .collectionFailed, .runFailed(failed)),
        sample("collection-throttled", .collectionFailed, .runFailed(throttled)),
        sample("model-unpriced", .modelUnpriced, .modelUnpriced(unpriced)),
        sample("crossed-by-calls", .crossed, .thresholdCrossed(crossedByCalls)),
        sample(
            "costs-unexplained", .conditionRaised, .conditionRaised(raised("costs-unexplained", "openai/2026-11-09"))),
        sample("source-silent", .conditionRaised, .conditionRaised(raised("source-silent", "openai/acme"))),
        sample(
            "evaluation-stalled", .conditionRaised, .conditionRaised(raised("evaluation-stalled", "threshold-watcher"))),
        sample("projection-lagging", .conditionRaised, .conditionRaised(raised("projection-lagging", "projector"))),
        sample("usage-not-kept", .conditionRaised, .conditionRaised(notKept)),
        sample("usage-lost", .conditionRaised, .conditionRaised(lost)),
        sample("condition-ended", .conditionEnded, .conditionEnded(ended)),
        sample("test", .test, nil),
        sample("canary", .canary, nil),
        Sample(
            name: "several",
            notice: notice(
                [fact(.crossed, .thresholdCrossed(crossed)), fact(.crossed, .thresholdCrossed(weekly))]
                    + many(6), heldBack: 3, mayRepeat: true)),
    ]

    static func sample(_ name: String, _ kind: FactKind, _ event: FinOpsEvent?) -> Sample {
        Sample(name: name, notice: notice([fact(kind, event)]))
    }

    static func fact(_ kind: FactKind, _ event: FinOpsEvent?) -> Notice.Fact {
        Notice.Fact(
            kind: kind, event: event, position: event == nil ? .start : Position(48_213),
            recorded: Timestamp(seconds: 1_794_373_260))
    }

    static func notice(
        _ facts: [Notice.Fact], destination: String = "slack", heldBack: Int = 0, mayRepeat: Bool = false
    ) -> Notice {
        Notice(
            id: "0d9c4a52-7f1e-5b3a-9c88-2f6d1e0a7b41", destination: destination, facts: facts, heldBack: heldBack,
            mayRepeat: mayRepeat, at: Timestamp(seconds: 1_794_373_265))
    }

    /// Wednesday 11 November 2026 in Seoul, until 14:00.
    static let crossed = WireThresholdCrossed.with {
        $0.scope = "project"
        $0.name = "search-api"
        $0.team = "검색팀"
        $0.window = "day"
        $0.firstDay = "2026-11-11"
        $0.windowStart = 1_794_322_800
        $0.windowEnd = 1_794_409_200
        $0.zone = "Asia/Seoul"
        $0.level = 100
        $0.limit = usd(nanos: 10_000_000_000).wire
        $0.cost = usd(nanos: 12_340_000_000).wire
        $0.basis = "metered"
        $0.position = 48_213
        $0.usageThrough = 1_794_373_200
        $0.previous = usd(nanos: 8_000_000_000).wire
        $0.forecast = usd(nanos: 21_154_285_714).wire
        $0.cause = .with {
            $0.provider = "openai"
            $0.account = "acme"
            $0.apiKeyID = "key_EXAMPLEsearch"
            $0.model = "gpt-5.6-terra"
            $0.providerProjectID = "proj_EXAMPLEsearch"
            $0.cost = usd(nanos: 9_120_000_000).wire
            $0.growth = usd(nanos: 5_020_000_000).wire
        }
    }

    /// By calls through the gateway alone.
    static let crossedByCalls = WireThresholdCrossed.with {
        $0 = crossed
        $0.basis = "estimated"
        $0.cause.apiKeyID = "key-01a2b3c4d5e67f80"
        $0.cause.gatewayKey = true
    }

    static let weekly = WireThresholdCrossed.with {
        $0 = crossed
        $0.scope = "team"
        $0.name = "커머스"
        $0.team = ""
        $0.window = "week"
        $0.firstDay = "2026-11-09"
        $0.windowStart = 1_794_150_000
        $0.windowEnd = 1_794_754_800
        $0.limit = usd(nanos: 1_000_000_000_000).wire
        $0.cost = usd(nanos: 1_234_565_000_000).wire
        $0.previous = usd(nanos: 0).wire
        $0.forecast = usd(nanos: 3_346_000_000_000).wire
        $0.basis = "mixed"
        $0.cause = .with {
            $0.provider = "openai"
            $0.account = "acme"
            $0.cost = usd(nanos: 900_000_000_000).wire
            $0.growth = usd(nanos: 900_000_000_000).wire
        }
    }

    static let warned = WireThresholdCrossed.with {
        $0 = crossed
        $0.scope = "organisation"
        $0.name = ""
        $0.team = ""
        $0.level = 80
        $0.limit = usd(nanos: 50_000_000).wire
        $0.cost = usd(nanos: 41_234_567).wire
        $0.previous = usd(nanos: 60_000_000).wire
        $0.forecast = usd(nanos: 70_687_829).wire
        $0.cause.growth = usd(nanos: -1).wire
    }

    static func cleared(reason: String) -> WireThresholdCleared {
        .with {
            $0.scope = "project"
            $0.name = "search-api"
            $0.window = "day"
            $0.firstDay = "2026-11-11"
            $0.zone = "Asia/Seoul"
            $0.level = 100
            $0.limit = usd(nanos: reason == "limit" ? 20_000_000_000 : 10_000_000_000).wire
            $0.cost = usd(nanos: 9_100_000_000).wire
            $0.position = 48_300
            $0.reason = reason
            $0.team = "검색팀"
        }
    }

    static let failed = WireRunFailed.with {
        $0.run = "0d9c4a52-7f1e-5b3a-9c88-2f6d1e0a7b42"
        $0.provider = "openai"
        $0.account = "acme"
        $0.kind = "daily"
        $0.fromDay = "2026-11-08"
        $0.toDay = "2026-11-10"
        $0.code = "not-authorised"
        $0.message = "the provider refuses the key (401): Incorrect API key provided: sk-admin-…3kQz"
        $0.keyMask = "sk-admin-…3kQz"
        $0.recorded = 120
        $0.restated = 3
    }

    static let throttled = WireRunFailed.with {
        $0 = failed
        $0.kind = "poll"
        $0.fromDay = "2026-11-11"
        $0.toDay = "2026-11-11"
        $0.code = "throttled"
        $0.message = "the provider asked to wait 3600 s (429)"
        $0.retriable = true
    }

    static let unpriced = WireModelUnpriced.with {
        $0.provider = "openai"
        $0.model = "gpt-unheard-of"
        $0.account = "acme"
        $0.day = "2026-11-20"
        $0.reason = "no price for model gpt-unheard-of"
    }

    static func raised(_ kind: String, _ subject: String) -> WireConditionRaised {
        .with {
            $0.kind = kind
            $0.subject = subject
            $0.since = 1_794_286_800
            $0.detail = "last seen 2026-11-10T14:00:00+09:00"
        }
    }

    static let notKept = WireConditionRaised.with {
        $0 = raised("usage-not-kept", "gateway")
        $0.detail = "cannot write /finops/spool/gateway: No space left on device; fail-open"
    }

    static let lost = WireConditionRaised.with {
        $0 = raised("usage-lost", "gateway")
        $0.detail = "412 records between the first and the last are not there"
    }

    static let ended = WireConditionEnded.with {
        $0.kind = "source-silent"
        $0.subject = "openai/acme"
        $0.since = 1_794_286_800
        $0.detail = "a run finished"
    }

    /// Crossings of different projects.
    static func many(_ count: Int) -> [Notice.Fact] {
        (0..<count).map { index in
            fact(
                .crossed,
                .thresholdCrossed(
                    .with {
                        $0 = crossed
                        $0.team = "고객지원"
                        $0.name = "chat-assistant-\(index + 1)"
                        $0.cost.nanos = index.isMultiple(of: 2) ? 12_340_000_000 : 8_500_000_000
                    }))
        }
    }
}
