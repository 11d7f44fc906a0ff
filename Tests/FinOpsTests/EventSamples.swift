import FinOps
import SwiftProtobuf
import TestSupport

/// One event of every type, with every field set that it had when its golden file was recorded from it. Fields that came
/// later (`reasoning_tokens`, `cache_write_1h_tokens`) are not in those files, which never change.
enum EventSamples {
    static let all: [FinOpsEvent] =
        usage + bill + directory + prices + priceDecisions + runs + operations + vault + alerts + notifications
        + gateway + providers

    static let quantities = WireQuantities.with {
        $0.requests = 9
        $0.inputTokens = 20_000
        $0.cachedInputTokens = 12_000
        $0.cacheWriteTokens = 3_000
        $0.outputTokens = 1_900
        $0.audioInputTokens = 11
        $0.cachedAudioInputTokens = 12
        $0.audioOutputTokens = 13
        $0.imageInputTokens = 14
        $0.cachedImageInputTokens = 15
        $0.imageOutputTokens = 16
        $0.images = 17
        $0.characters = 18
        $0.seconds = 19
        $0.usageBytes = 5_368_709_120
        $0.sessions = 20
        $0.calls = 21
    }

    private static let row = WireUsageRow.with {
        $0.provider = "openai"
        $0.account = "acme"
        $0.kind = "completions"
        $0.bucketStart = 1_795_179_600
        $0.bucketEnd = 1_795_183_200
        $0.projectID = "proj_EXAMPLEalpha"
        $0.apiKeyID = "key_EXAMPLEcheckout"
        $0.model = "gpt-5.6-terra"
        $0.batch = false
        $0.serviceTier = "default"
        $0.size = "1024x1024"
        $0.source = "image.generation"
        $0.vectorStoreID = "vs_EXAMPLE"
        $0.contextLevel = "medium"
        $0.quantities = quantities
        $0.cost = usd(nanos: 54_000_000).wire
        $0.priceVersion = "2026-10-19+1a2b3c4d/gpt-5.6-terra@2026-08-21"
        $0.priceEstimated = true
        $0.unpricedReason = "no price for model x"
        $0.longContextPossible = true
    }

    private static let usage: [FinOpsEvent] = [
        .usageRecorded(
            .with {
                $0.row = row
                $0.observed = 1_795_190_000
            }),
        .usageRestated(
            .with {
                $0.row = row
                $0.observed = 1_795_190_000
                $0.previous = quantities
                $0.previousCost = usd(nanos: 60_000_000).wire
                $0.difference = usd(nanos: -6_000_000).wire
                $0.previousObserved = 1_795_180_000
            }),
        .usageRepriced(
            .with {
                $0.row = row
                $0.previousCost = usd(nanos: 1).wire
                $0.previousPriceVersion = "2026-10-18+00000000/gpt-5.6-terra"
                $0.difference = usd(nanos: 53_999_999).wire
                $0.observed = 1_795_180_000
                $0.reason = "invoice 7"
                $0.correction = "correction-0192f3a4"
            }),
        .modelUnpriced(
            .with {
                $0.provider = "openai"
                $0.model = "gpt-unheard-of"
                $0.account = "acme"
                $0.day = "2026-11-20"
                $0.reason = "no price for model gpt-unheard-of"
            }),
    ]

    private static let billRow = WireBillRow.with {
        $0.provider = "openai"
        $0.account = "acme"
        $0.bucketStart = 1_793_491_200
        $0.bucketEnd = 1_793_577_600
        $0.projectID = "proj_EXAMPLEalpha"
        $0.lineItem = "gpt-4o-mini-2024-07-18, input"
        $0.apiKeyID = "key_EXAMPLEcheckout"
        $0.amount = usd(nanos: 127_500_000).wire
        $0.amountTexts = ["0.127500000000000000000000000000000000"]
        $0.quantityText = "850000.0"
        $0.quantityUnit = "tokens"
        $0.withdrawn = true
    }

    private static let bill: [FinOpsEvent] = [
        .billRecorded(
            .with {
                $0.row = billRow
                $0.observed = 1_793_600_000
            }),
        .billRestated(
            .with {
                $0.row = billRow
                $0.observed = 1_793_700_000
                $0.previous = usd(nanos: 100_000_000).wire
                $0.difference = usd(nanos: 27_500_000).wire
                $0.previousObserved = 1_793_600_000
            }),
        .billAllocated(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = "2026-11-01"
                $0.projectID = "proj_EXAMPLEalpha"
                $0.lineItem = "gpt-4o-mini-2024-07-18, input"
                $0.apiKeyID = "key_EXAMPLEcheckout"
                $0.amount = usd(nanos: 127_500_000).wire
                $0.rule = "key"
                $0.parts = [
                    .with {
                        $0.hour = 1_793_491_200
                        $0.apiKeyID = "key_EXAMPLEcheckout"
                        $0.model = "gpt-4o-mini-2024-07-18"
                        $0.nanos = 127_500_000
                    }
                ]
            }),
        .billTookForce(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = "2026-11-01"
                $0.projectID = "proj_EXAMPLEalpha"
            }),
        .billLeftForce(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = "2026-11-01"
                $0.projectID = "proj_EXAMPLEalpha"
            }),
    ]

    private static let directory: [FinOpsEvent] = [
        .teamAdded(
            .with {
                $0.team = "결제"
                $0.owner = "person_EXAMPLE"
                $0.budget = usd(nanos: 1_000_000_000_000).wire
                $0.reason = "new team"
            }),
        .projectAdded(
            .with {
                $0.project = "checkout"
                $0.team = "결제"
                $0.reason = "launch"
            }),
        .projectMoved(
            .with {
                $0.project = "checkout"
                $0.team = "search"
                $0.from = 1_793_458_800
                $0.reason = "reorganised"
            }),
        .connectionMade(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.baseURL = "https://api.openai.com/v1"
                $0.api = "organization"
                $0.secretID = "openai-acme"
                $0.keyMask = "sk-admin-…wxyz"
                $0.reason = "first"
            }),
        .connectionRemoved(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.reason = "closed"
            }),
        .keyMapped(
            .with {
                $0.provider = "openai"
                $0.providerKeyID = "key_EXAMPLEcheckout"
                $0.project = "checkout"
                $0.from = 1_793_458_800
                $0.reason = "asked for"
            }),
        .providerProjectMapped(
            .with {
                $0.provider = "openai"
                $0.providerProjectID = "proj_EXAMPLEalpha"
                $0.project = "checkout"
                $0.from = 1_793_458_800
                $0.reason = "asked for"
            }),
        .attributionAssigned(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.apiKeyID = "key_EXAMPLEcheckout"
                $0.team = "결제"
                $0.project = "checkout"
                $0.from = 1_793_458_800
                $0.version = 42
            }),
    ]
}
