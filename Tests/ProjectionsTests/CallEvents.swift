import FinOps
import SwiftProtobuf

/// One attempt at a call as the tests of the projections write it; `at` is an hour such as `2026-11-19T05`.
func called(
    _ call: String, at hour: String, minute: Int64 = 1, attempt: UInt32 = 1, key: String = "key-1",
    project: String = "ranking", providerKey: String? = "key-a", providerProject: String? = "proj-1",
    model: String = "gpt-4o", tier: String = "default", input: Int64 = 100, cached: Int64 = 0, output: Int64 = 10,
    nanos: Int64? = 1_000, currency: String = "USD", task: String = "", intent: String = "", feature: String = "",
    gateway: String = "gateway", version: String = "2026-11-01", account: String = "acme",
    metadata: [String: String] = [:]
) -> FinOpsEvent {
    .callRecorded(
        .with {
            $0.call = call
            $0.attempt = attempt
            $0.gateway = gateway
            $0.key = key
            $0.project = project
            $0.upstream = "main"
            $0.provider = "openai"
            $0.account = account
            if let providerKey { $0.providerKeyID = providerKey }
            if let providerProject { $0.providerProjectID = providerProject }
            $0.route = "/v1/chat/completions"
            $0.modelAsked = "gpt-4o-latest"
            $0.model = model
            $0.kind = "completions"
            $0.serviceTier = tier
            $0.quantities.requests = 1
            $0.quantities.inputTokens = input
            $0.quantities.cachedInputTokens = cached
            $0.quantities.outputTokens = output
            if let nanos {
                $0.cost.nanos = nanos
                $0.cost.currency = currency
                $0.priceVersion = version
            } else {
                $0.unpricedReason = "no price"
            }
            $0.status = 200
            $0.ended = "complete"
            $0.started = (seconds(hour) + minute * 60) * 1_000_000 + 123_456
            $0.firstByte = 210_500
            $0.duration = 1_500_000
            $0.context.taskType = task
            $0.context.intent = intent
            $0.context.feature = feature
            $0.context.user = "u-1"
            $0.context.metadata = metadata
        })
}

/// A call with another cost than it has.
func repriced(
    _ call: WireCallRecorded, nanos: Int64, version: String = "2026-11-22", correction: String = "correction-1"
) -> WireCallRepriced {
    .with {
        $0.call = call
        $0.call.cost.nanos = nanos
        $0.call.cost.currency = "USD"
        $0.call.priceVersion = version
        $0.call.unpricedReason = ""
        if call.hasCost { $0.previousCost = call.cost }
        $0.previousUnpricedReason = call.unpricedReason
        $0.previousPriceVersion = call.priceVersion
        $0.difference.nanos = nanos - call.cost.nanos
        $0.difference.currency = "USD"
        $0.correction = correction
        $0.reason = "invoice 7"
    }
}

func projectAdded(_ project: String, team: String) -> FinOpsEvent {
    .projectAdded(
        .with {
            $0.project = project
            $0.team = team
        })
}

func projectMoved(_ project: String, team: String, from: Int64? = nil) -> FinOpsEvent {
    .projectMoved(
        .with {
            $0.project = project
            $0.team = team
            if let from { $0.from = from }
        })
}
