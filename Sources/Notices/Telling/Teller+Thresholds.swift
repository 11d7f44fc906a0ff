import EventLog
import FinOps

extension Teller {
    func crossing(_ event: WireThresholdCrossed) -> Passage {
        let isOver = event.cost.nanos >= event.limit.nanos
        let span = WindowSpan(kind: event.window, firstDay: event.firstDay, zone: event.zone)
        let mark = isOver ? "🔴" : "🟠"
        return Passage(
            tone: isOver ? .critical : .warning,
            headline: headline(
                mark, isOver ? .exceeded : .warned, subjects(event.scope, event.name, team: event.team),
                figures(event.cost, event.limit)),
            aside: span.map(words.shortWindow),
            rows: rows(event, span),
            link: link(event.scope, event.name),
            commands: disabling(event.cause))
    }

    private func rows(_ event: WireThresholdCrossed, _ span: WindowSpan?) -> [Passage.Row] {
        // A bill may be known where no usage is.
        let known =
            event.usageThrough == 0
            ? nil : words.moment(ZonedMoment(Timestamp(seconds: event.usageThrough), zone: event.zone))
        var rows: [Passage.Row] = []
        if let span { rows.append(row(.window, words.window(span))) }
        rows += [
            row(.level, words.level(event.level, limit: amount(event.limit))),
            row(
                .asOf,
                words.asOf(
                    known, basis: CostBasis(event.basis), position: AmountText.grouped(UInt128(event.position)))),
        ]
        guard let kind = WindowKind(rawValue: event.window) else { return rows }
        if event.hasPrevious { rows.append(row(.change, words.change(compared(event), kind))) }
        if event.hasCause { rows.append(row(.cause, cause(event.cause, kind))) }
        if event.hasForecast, known != nil, event.usageThrough < event.windowEnd {
            let share = AmountText.percent(event.forecast.nanos, of: event.limit.nanos)
            rows.append(row(.forecast, words.forecast(amount(event.forecast), share: share, kind)))
        }
        return rows
    }

    private func compared(_ event: WireThresholdCrossed) -> ComparedCost {
        let difference = event.cost.nanos.subtractingReportingOverflow(event.previous.nanos)
        if event.previous.nanos == 0 { return .nothingBefore }
        if difference.partialValue == 0 { return .same(amount(event.cost)) }
        let share = AmountText.percent(difference.partialValue, of: event.previous.nanos)
        return .changed(
            before: amount(event.previous), difference: signed(difference.partialValue, like: event.cost),
            share: share.map { difference.partialValue > 0 ? "+" + $0 : $0 })
    }

    private func cause(_ cause: WireThresholdCrossed.Cause, _ kind: WindowKind) -> Phrase {
        guard cause.growth.nanos > 0 else { return Phrase(words.noGrowth(kind)) }
        let account = [cause.provider, cause.account].filter { !$0.isEmpty }.joined(separator: "/")
        let consumer = words.consumer(
            key: cause.hasApiKeyID ? OutsideText.name(cause.apiKeyID) : nil,
            model: cause.hasModel ? OutsideText.name(cause.model) : nil, account: OutsideText.name(account))
        return words.cause(
            consumer, cost: amount(cause.cost), growth: signed(cause.growth.nanos, like: cause.growth), kind)
    }

    /// A key of the gateway is disabled there. One of the provider's is deleted by the provider's own call: it works whether
    /// or not anything of ours stands before the provider.
    private func disabling(_ cause: WireThresholdCrossed.Cause) -> [Passage.Command] {
        if cause.gatewayKey {
            guard cause.growth.nanos > 0, Self.isPlainID(cause.apiKeyID) else { return [] }
            return [
                Passage.Command(
                    title: words.disableKey, text: "finops key disable \(cause.apiKeyID) --reason \"over its limit\"")
            ]
        }
        guard cause.provider == "openai", cause.hasApiKeyID, cause.hasProviderProjectID, cause.growth.nanos > 0,
            Self.isPlainID(cause.apiKeyID), Self.isPlainID(cause.providerProjectID)
        else { return [] }
        let address =
            "https://api.openai.com/v1/organization/projects/\(cause.providerProjectID)/api_keys/\(cause.apiKeyID)"
        return [
            Passage.Command(
                title: words.disableKey,
                text: "curl -X DELETE \(address) -H \"Authorization: Bearer $OPENAI_ADMIN_KEY\"")
        ]
    }

    /// Whether it may stand in a command that somebody pastes into a shell.
    private static func isPlainID(_ id: String) -> Bool {
        (1...OutsideText.nameLimit).contains(id.utf8.count) && id.utf8.allSatisfy(\.isUnreserved)
            && !id.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
    }

    func clearing(_ event: WireThresholdCleared) -> Passage {
        let span = WindowSpan(kind: event.window, firstDay: event.firstDay, zone: event.zone)
        let subjects = subjects(event.scope, event.name, team: event.team)
        // What is no more, or is not what it was, is no measure.
        let isComparable = event.reason != "removed" && event.reason != "zone"
        let reason: ClearingInWords.Reason =
            switch event.reason {
            case "limit": .limit
            case "removed": .removed
            case "zone": .zone(OutsideText.name(event.zone))
            default: .cost
            }
        let correction = words.correction(
            ClearingInWords(
                subject: subjects.joined(separator: " · "), window: span.map(words.shortWindow), level: event.level,
                reason: reason, cost: amount(event.cost), limit: amount(event.limit),
                share: AmountText.percent(event.cost.nanos, of: event.limit.nanos)))
        return Passage(
            tone: .good,
            headline: headline(
                "✅", .corrected, subjects,
                isComparable ? figures(event.cost, event.limit) : amount(event.cost)),
            aside: span.map(words.shortWindow),
            sentences: [Phrase(correction)],
            rows: span.map { [row(.window, words.window($0))] } ?? [],
            link: link(event.scope, event.name))
    }

    // MARK: What both say

    private func subjects(_ scope: String, _ name: String, team: String) -> [String] {
        CostScope(kind: scope, name: name) == .organisation
            ? [words.organisation] : [team, name].map(OutsideText.name).filter { !$0.isEmpty }
    }

    private func figures(_ cost: WireMoney, _ limit: WireMoney) -> String {
        guard let cost = Money(cost), let limit = Money(limit) else { return "?" }
        let (left, right) = AmountText.pair(cost, limit)
        return "\(left) / \(right)" + (AmountText.percent(cost.nanos, of: limit.nanos).map { " (\($0))" } ?? "")
    }

    /// An amount without a currency's code says so; no writer of ours makes one.
    private func amount(_ money: WireMoney) -> String { Money(money).map(AmountText.text) ?? "?" }

    private func signed(_ nanos: Int64, like money: WireMoney) -> String {
        var money = money
        money.nanos = nanos
        return Money(money).map(AmountText.signed) ?? "?"
    }

    private func link(_ scope: String, _ name: String) -> Passage.Link? {
        guard let scope = CostScope(kind: scope, name: name) else { return nil }
        return ConsolePage(scope).url(settings).map { Passage.Link(title: words.details, url: $0) }
    }
}
