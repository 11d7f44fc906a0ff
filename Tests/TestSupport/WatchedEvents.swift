import EventLog
package import FinOps
import SwiftProtobuf

/// The events that a watch reads, short to write. Amounts are cents.
package enum Watched {
    package static func threshold(
        _ scope: CostScope, daily: Int64? = nil, weekly: Int64? = nil, levels: [UInt32] = [80, 100],
        zone: String = "Asia/Seoul", currency: String = "USD", policy: String = "alert"
    ) -> FinOpsEvent {
        .thresholdSet(
            .with {
                $0.scope = scope.kind
                $0.name = scope.name
                if let daily { $0.daily = money(daily, currency) }
                if let weekly { $0.weekly = money(weekly, currency) }
                $0.levels = levels
                $0.zone = zone
                $0.policy = policy
            })
    }

    package static func removed(_ scope: CostScope) -> FinOpsEvent {
        .thresholdRemoved(
            .with {
                $0.scope = scope.kind
                $0.name = scope.name
            })
    }

    /// - Parameter from: Unix seconds; nil: from the beginning.
    package static func assigned(
        key: String, to project: String, _ team: String, from: Int64? = nil, version: UInt64 = 1
    ) -> FinOpsEvent {
        assigned(.apiKeyID(key), to: project, team, from: from, version: version)
    }

    package static func assigned(
        _ subject: WireAttributionAssigned.OneOf_Subject, to project: String, _ team: String, from: Int64? = nil,
        version: UInt64 = 1
    ) -> FinOpsEvent {
        .attributionAssigned(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.subject = subject
                $0.project = project
                $0.team = team
                if let from { $0.from = from }
                $0.version = version
            })
    }

    /// A row of an hour that was asked for when it was over.
    package static func usage(
        _ cents: Int64, _ day: String = "2026-11-20", _ hour: Int64 = 0, key: String = "key_a",
        project: String = "proj_a", model: String = "gpt-5", currency: String = "USD", tier: String? = nil,
        observed: Int64? = nil
    ) -> FinOpsEvent {
        .usageRecorded(
            .with {
                $0.row = row(cents, day, hour, key: key, project: project, model: model, currency: currency)
                if let tier { $0.row.serviceTier = tier }
                $0.observed = observed ?? $0.row.bucketEnd
            })
    }

    package static func restated(
        _ cents: Int64, from before: Int64, _ day: String = "2026-11-20", _ hour: Int64 = 0, key: String = "key_a",
        project: String = "proj_a", model: String = "gpt-5", tier: String? = nil
    ) -> FinOpsEvent {
        .usageRestated(
            .with {
                $0.row = row(cents, day, hour, key: key, project: project, model: model, currency: "USD")
                if let tier { $0.row.serviceTier = tier }
                $0.observed = $0.row.bucketEnd
                $0.difference = money(cents - before)
            })
    }

    package static func row(
        _ cents: Int64, _ day: String, _ hour: Int64, key: String, project: String, model: String, currency: String
    ) -> WireUsageRow {
        var row = usageRow(model: model, start: utcHour(day, hour), project: project, key: key)
        row.cost = money(cents, currency)
        // What the provider takes back leaves a row of zeros.
        row.quantities.requests = cents == 0 ? 0 : 1
        return row
    }

    /// A call through a gateway with the key `key-1` of a project. One without a cost has no price.
    package static func call(
        _ cents: Int64?, _ day: String = "2026-11-20", _ hour: Int64 = 0, of project: String = "search-api",
        gatewayKey: String = "key-1", providerKey: String? = "key_a", providerProject: String? = nil,
        model: String = "gpt-5", tier: String = "default", id: String = "call"
    ) -> FinOpsEvent {
        .callRecorded(
            .with {
                ($0.call, $0.attempt, $0.gateway, $0.key, $0.project) = (id, 1, "gateway", gatewayKey, project)
                ($0.upstream, $0.provider, $0.account) = ("main", "openai", "acme")
                if let providerKey { $0.providerKeyID = providerKey }
                if let providerProject { $0.providerProjectID = providerProject }
                ($0.model, $0.kind, $0.serviceTier) = (model, "completions", tier)
                ($0.started, $0.duration) = ((utcHour(day, hour) + 90) * 1_000_000, 2_000_000)
                $0.quantities.requests = 1
                $0.quantities.inputTokens = 10
                if let cents { $0.cost = money(cents) } else { $0.unpricedReason = "no price" }
            })
    }

    package static func added(_ project: String, _ team: String) -> FinOpsEvent {
        .projectAdded(
            .with {
                $0.project = project
                $0.team = team
            })
    }

    /// A bill's row spread over hours of its day.
    package static func bill(
        _ parts: [(hour: Int64, cents: Int64)], _ day: String = "2026-11-20", key: String = "key_a",
        project: String = "proj_a", currency: String = "USD"
    ) -> FinOpsEvent {
        .billAllocated(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = day
                $0.projectID = project
                $0.amount = money(parts.map(\.cents).reduce(0, +), currency)
                $0.parts = parts.map { part in
                    .with {
                        $0.hour = utcHour(day, part.hour)
                        $0.apiKeyID = key
                        $0.model = "gpt-5"
                        $0.nanos = part.cents * 10_000_000
                    }
                }
            })
    }

    package static func tookForce(_ day: String = "2026-11-20", project: String = "proj_a") -> FinOpsEvent {
        .billTookForce(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = day
                $0.projectID = project
            })
    }

    package static func leftForce(_ day: String = "2026-11-20", project: String = "proj_a") -> FinOpsEvent {
        .billLeftForce(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.day = day
                $0.projectID = project
            })
    }

    private static func utcHour(_ day: String, _ hour: Int64) -> Int64 { Day(day)!.utcStart.seconds + hour * 3_600 }

    package static func money(_ cents: Int64, _ currency: String = "USD") -> WireMoney {
        .with {
            $0.nanos = cents * 10_000_000
            $0.currency = currency
        }
    }
}

extension FinOpsEvent {
    /// The UTC day whose streams hold it; nil for what is no cost.
    package var costDay: Day? {
        switch self {
        case .usageRecorded(let event): Day(utc: Timestamp(seconds: event.row.bucketStart))
        case .usageRestated(let event): Day(utc: Timestamp(seconds: event.row.bucketStart))
        case .usageRepriced(let event): Day(utc: Timestamp(seconds: event.row.bucketStart))
        case .callRecorded(let event): Day(utc: Timestamp(microseconds: event.started))
        case .billAllocated(let event): Day(event.day)
        case .billTookForce(let event): Day(event.day)
        case .billLeftForce(let event): Day(event.day)
        default: nil
        }
    }

    /// The first day of the window that it is about.
    package var alertDay: Day? {
        switch self {
        case .thresholdCrossed(let event): Day(event.firstDay)
        case .thresholdCleared(let event): Day(event.firstDay)
        default: nil
        }
    }

    /// The last position of the commit that brought it about.
    package var foundAt: UInt64? {
        switch self {
        case .thresholdCrossed(let event): event.position
        case .thresholdCleared(let event): event.position
        default: nil
        }
    }

    /// A finding in words, to compare and to read.
    package var words: String {
        switch self {
        case .thresholdCrossed(let event):
            "\(event.window) \(event.firstDay) \(event.scopeName): \(event.level) % at \(event.cost.text)"
        case .thresholdCleared(let event):
            "\(event.window) \(event.firstDay) \(event.scopeName): \(event.level) % cleared by \(event.reason) at \(event.cost.text)"
        default: "\(self)"
        }
    }
}

extension WireThresholdCrossed {
    fileprivate var scopeName: String { name.isEmpty ? scope : "\(scope) \(name)" }
}

extension WireThresholdCleared {
    fileprivate var scopeName: String { name.isEmpty ? scope : "\(scope) \(name)" }
}

extension WireMoney {
    /// Dollars, exact, without needless zeros.
    package var text: String {
        var text = NanoText.text(Int128(nanos))
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
