import FinOps
import Foundation
import SwiftProtobuf
import TestSupport

/// The gateway's keys, what it calls, and one call with every field set.
extension EventSamples {
    static let gateway: [FinOpsEvent] = [
        .upstreamSet(
            .with {
                $0.name = "openai-main"
                $0.provider = "azure"
                $0.baseURL = "https://acme.openai.azure.com/openai/v1"
                $0.secretID = "upstream-openai-main"
                $0.secretVersion = 2
                $0.keyMask = "sk-proj-…wxyz"
                $0.account = "acme"
                $0.providerKeyID = "key_7Hq2"
                $0.providerProjectID = "proj_1"
                $0.deployments = [
                    .with {
                        $0.model = "gpt-4o"; $0.deployment = "prod-4o"
                    }
                ]
                $0.reason = "new key"
            }),
        .upstreamRemoved(
            .with {
                $0.name = "openai-main"; $0.reason = "moved"
            }),
        .keyIssued(
            .with {
                $0.key = "key-0192f3a4"
                $0.project = "search-api"
                $0.name = "batch jobs"
                $0.prefix = "fo-Ab3d"
                $0.hash = Data(repeating: 7, count: 32)
                $0.models = ["gpt-4o*"]
                $0.routes = ["/v1/chat/completions"]
                $0.expires = 1_798_761_600
                $0.requestsPerMinute = 600
                $0.tokensPerMinute = 100_000
                $0.reason = "nightly run"
            }),
        .keyRotated(
            .with {
                $0.key = "key-0192f3a4"
                $0.prefix = "fo-Zz9q"
                $0.hash = Data(repeating: 9, count: 32)
                $0.oldValidUntil = 1_794_366_000
                $0.reason = "yearly"
            }),
        .keyDisabled(
            .with {
                $0.key = "key-0192f3a4"; $0.cause = "person"; $0.reason = "runaway loop"
            }),
        .keyReactivationRequested(
            .with {
                $0.key = "key-0192f3a4"; $0.reason = "mended"
            }),
        .keyReactivated(
            .with {
                $0.key = "key-0192f3a4"; $0.reason = "seen"
            }),
        .keyDisablementEnforced(
            .with {
                $0.key = "key-0192f3a4"
                $0.gateway = "gateway"
                $0.decision = 4_711
                $0.decided = 1_794_366_000_000_100
                $0.enforced = 1_794_366_000_003_200
                $0.lastAccepted = 1_794_366_000_002_900
                $0.lastCall = "0192f3a4-7d5a-7a51-9b4e-0a4f5c2f8b11"
                $0.drill = true
            }),
        .callRecorded(call),
        .callRepriced(
            .with {
                $0.call = call
                $0.previousCost = usd(nanos: 1_972_000).wire
                $0.previousPriceVersion = "2026-10-18+00000000/gpt-4o"
                $0.previousUnpricedReason = "no price for model gpt-4o"
                $0.difference = usd(nanos: 500).wire
                $0.reason = "invoice 7"
                $0.correction = "correction-0192f3a4"
            }),
        .budgetLeased(
            .with {
                $0.scope = "project"
                $0.name = "search-api"
                $0.window = "day"
                $0.firstDay = "2026-11-11"
                $0.zone = "Asia/Seoul"
                $0.gateway = "gateway"
                $0.amount = .with {
                    $0.nanos = 500_000_000; $0.currency = "USD"
                }
                $0.expires = 1_794_366_060
            }),
        .keyPaceJoined(
            .with {
                $0.key = "key-0192f3a4"
                $0.gateway = "gateway-2"
                $0.asked = 1_794_366_000_000_100
                $0.stands = 300
            }),
        .keyPaceGiven(
            .with {
                $0.key = "key-0192f3a4"
                $0.gateway = "gateway"
                $0.to = "gateway-2"
                $0.asked = 1_794_366_000_000_100
                $0.requests = 29
                $0.tokens = 48_000
            }),
    ]

    private static let call = WireCallRecorded.with {
        $0.call = "0192f3a4-7d5a-7a51-9b4e-0a4f5c2f8b11"
        $0.attempt = 1
        $0.gateway = "gateway"
        $0.key = "key-0192f3a4"
        $0.project = "search-api"
        $0.upstream = "openai-main"
        $0.provider = "openai"
        $0.account = "acme"
        $0.providerKeyID = "key_7Hq2"
        $0.providerProjectID = "proj_1"
        $0.route = "/v1/chat/completions"
        $0.modelAsked = "gpt-4o"
        $0.model = "gpt-4o-2024-08-06"
        $0.kind = "completions"
        $0.serviceTier = "default"
        $0.batch = false
        $0.quantities = .with {
            $0.requests = 1
            $0.inputTokens = 1_117
            $0.cachedInputTokens = 1_024
            $0.outputTokens = 46
        }
        $0.cost = .with {
            $0.nanos = 1_972_500; $0.currency = "USD"
        }
        $0.priceVersion = "2026-10-19+1a2b3c4d/gpt-4o"
        $0.priceEstimated = true
        $0.usageEstimated = "the client left before the answer ended"
        $0.status = 200
        $0.ended = "client-gone"
        $0.started = 1_794_366_000_000_100
        $0.firstByte = 310_000
        $0.duration = 1_280_000
        $0.streamed = true
        $0.upstreamRequest = "req_123"
        $0.context = .with {
            $0.taskType = "summarise"
            $0.intent = "support"
            $0.feature = "inbox"
            $0.user = "u-1f2e3d4c"
            $0.metadata = ["run": "42"]
        }
        $0.region = "us"
        $0.otherCharges = true
        $0.unpriceable = true
    }
}
