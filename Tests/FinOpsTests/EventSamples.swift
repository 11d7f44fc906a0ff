import FinOps
import Foundation
import SwiftProtobuf
import TestSupport

/// One event of every type with every field set: what golden files are recorded from.
enum EventSamples {
    static let all: [FinOpsEvent] =
        usage + bill + directory + prices + priceDecisions + runs + operations + vault + alerts + notifications
        + gateway

    private static let quantities = WireQuantities.with {
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

    private static func named(_ names: KeyValuePairs<String, String>) -> [WireNamedPrice] {
        names.map { name, price in
            .with {
                $0.name = name
                $0.price = price
            }
        }
    }

    private static let prices: [FinOpsEvent] = [
        .priceChanged(
            .with {
                $0.provider = "openai"
                $0.model = "gpt-5.4"
                $0.mode = "chat"
                $0.match = ["gpt-5.4", "gpt-5.4-*"]
                $0.periods = [
                    .with {
                        $0.from = "2026-03-05"
                        $0.prices = named(["batch_input": "1.25", "input": "2.5", "output": "15"])
                        $0.longContextAbove = 272_000
                        $0.longContext = named(["input": "5"])
                    }
                ]
                $0.other = named(["web_search_per_1000": "10"])
                $0.version = "2026-10-19+1a2b3c4d"
                $0.source = "genai-prices"
                $0.reason = "contract"
                $0.removed = true
            }),
        .priceDefaultsChanged(
            .with {
                $0.provider = "openai"
                $0.defaults = named(["batch_multiplier": "0.5"])
                $0.version = "2026-10-19"
                $0.reason = "contract"
            }),
    ]

    private static let priceDecisions: [FinOpsEvent] = [
        .priceChangeProposed(
            .with {
                $0.id = "price-0192f3a4"
                $0.changes = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.match = ["gpt-5.4"]
                        $0.periods = [.with { $0.prices = named(["input": "25"]) }]
                        $0.version = "2026-11-22+5e6f7a8b"
                        $0.reason = "contract"
                    }
                ]
                $0.defaults = [
                    .with {
                        $0.provider = "openai"
                        $0.defaults = named(["batch_multiplier": "0.05"])
                        $0.version = "2026-11-22"
                    }
                ]
                $0.basis = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.version = "2026-10-19+1a2b3c4d"
                    }
                ]
                $0.jumps = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.name = "input"
                        $0.before = "2.5"
                        $0.after = "25"
                        $0.from = "2026-11-22"
                    }
                ]
                $0.correction = correction
                $0.reason = "contract"
            }),
        .priceChangeApproved(
            .with {
                $0.id = "price-0192f3a4"
                $0.reason = "seen on the invoice"
            }),
        .priceChangeRejected(
            .with {
                $0.id = "price-0192f3a4"
                $0.reason = "a typing error"
            }),
        .priceCorrectionStarted(correction),
        .priceCorrectionAdvanced(
            .with {
                $0.id = "correction-0192f3a4"
                $0.stream = "calls-acme-2026-11-11"
                $0.repriced = 1_000
                $0.difference = usd(nanos: -54_000_000).wire
                $0.finished = true
            }),
    ]

    private static let correction = WirePriceCorrectionStarted.with {
        $0.id = "correction-0192f3a4"
        $0.provider = "openai"
        $0.model = "gpt-5.4"
        $0.from = "2026-11-01"
        $0.to = "2026-11-15"
        $0.reason = "invoice 7"
    }

    private static let runs: [FinOpsEvent] = [
        .runStarted(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
            }),
        .runFinished(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
                $0.rows = 1_234
                $0.recorded = 1_200
                $0.restated = 34
                $0.requests = 12
                $0.retries = 1
                $0.notes = ["a bucket was missing"]
            }),
        .runFailed(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
                $0.code = "not-authorised"
                $0.message = "the provider refused the key"
                $0.retriable = true
                $0.keyMask = "sk-admin-…wxyz"
                $0.recorded = 1
                $0.restated = 2
                $0.requests = 3
                $0.retries = 4
            }),
    ]

    private static let operations: [FinOpsEvent] = [
        .processingFailed(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.stream = "mapping-openai"
                $0.type = "key.mapped"
                $0.attempts = 3
                $0.error = "unknown project"
            }),
        .processingRetried(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.reason = "the project is there now"
            }),
        .processingSkipped(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.reason = "a typing error"
            }),
        .stageReady(
            .with {
                $0.stage = "projector"
                $0.pid = 4_711
            }),
        .stageExited(
            .with {
                $0.stage = "projector"
                $0.pid = 4_711
                $0.outcome = "signal 9"
                $0.expected = true
            }),
    ]

    private static let vault: [FinOpsEvent] = [
        .secretStored(
            .with {
                $0.secretID = "openai-acme"
                $0.purpose = "provider-credential"
                $0.version = 2
                $0.reason = "rotated"
            }),
        .secretRemoved(
            .with {
                $0.secretID = "openai-acme"
                $0.reason = "contract ended"
            }),
        .secretUsed(
            .with {
                $0.secretID = "openai-acme"
                $0.purpose = "provider-credential"
                $0.version = 2
                $0.stage = "ingest-openai"
                $0.subject = "openai/acme"
            }),
    ]

    private static let alerts: [FinOpsEvent] = [
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

    private static let notifications: [FinOpsEvent] = [
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

    private static let gateway: [FinOpsEvent] = [
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
