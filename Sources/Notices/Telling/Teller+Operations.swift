import EventLog
import FinOps

extension Teller {
    // MARK: Collections

    func failure(_ event: WireRunFailed) -> Passage {
        let account = accountName(event.provider, event.account)
        let first = Day(event.fromDay)
        let last = Day(event.toDay) ?? first
        let days = first.map { words.days(from: $0, through: last ?? $0) }
        var rows: [Passage.Row] = []
        if let days { rows.append(row(.days, days)) }
        rows.append(row(.account, Phrase(account)))
        if !event.keyMask.isEmpty { rows.append(row(.key, .code(OutsideText.name(event.keyMask)))) }
        rows += [
            row(.error, "\(code: OutsideText.name(event.code)) \(OutsideText.message(event.message))"),
            row(.run, words.runKind(OutsideText.name(event.kind))),
            row(.recorded, words.alreadyRecorded(recorded: event.recorded, restated: event.restated)),
            row(.next, words.nextAfterFailure(isRetriable: event.retriable)),
        ]
        return Passage(
            tone: .warning,
            headline: headline(
                "⚠️", .collectionFailed, [account, shortDays(first, last), OutsideText.name(event.code)]),
            rows: rows,
            commands: remedies(event))
    }

    private func shortDays(_ first: Day?, _ last: Day?) -> String {
        guard let first, let last else { return "" }
        return first == last
            ? words.shortDay(first) : "\(words.shortDay(first)) – \(words.shortDay(last))"
    }

    private func remedies(_ event: WireRunFailed) -> [Passage.Command] {
        guard event.provider == "openai" else { return [] }
        let name = Self.argument(event.account)
        var commands = [Passage.Command(title: words.findCause, text: "ingest-openai check --name \(name)")]
        if event.code == "not-authorised" {
            commands.append(
                .init(title: words.connectAgain, text: "finops connect openai --name \(name) --key-file FILE"))
        }
        if !event.retriable, let first = Day(event.fromDay), let last = Day(event.toDay) {
            commands.append(
                .init(
                    title: words.collectAgain,
                    text: "ingest-openai backfill --from \(first) --to \(last) --name \(name)"))
        }
        return commands
    }

    // MARK: Models without a price

    func unpriced(_ event: WireModelUnpriced) -> Passage {
        let model = OutsideText.name(event.model)
        var rows = [
            row(.model, "\(OutsideText.name(event.provider)) \(code: model)"),
            row(.account, accountName(event.provider, event.account)),
        ]
        if let day = Day(event.day) { rows.append(row(.since, "\(words.day(day)) (\(words.utcDay))")) }
        if !event.reason.isEmpty { rows.append(row(.reason, OutsideText.message(event.reason))) }
        return Passage(
            tone: .warning,
            headline: headline("⚠️", .modelUnpriced, [OutsideText.name(event.provider), model]),
            sentences: [Phrase(words.unpriced(model))],
            rows: rows,
            commands: [Passage.Command(title: words.importPrices, text: "finops price import FILE")])
    }

    // MARK: Conditions

    func raised(_ event: WireConditionRaised) -> Passage {
        let label = Self.label(ofCondition: event.kind)
        let subject = OutsideText.name(event.subject)
        let since = moment(event.since)
        var rows = [row(.since, since)]
        if !event.detail.isEmpty { rows.append(row(.detail, OutsideText.message(event.detail))) }
        return Passage(
            tone: .warning,
            headline: headline("⚠️", label, [label == .otherCondition ? OutsideText.name(event.kind) : "", subject]),
            sentences: [Phrase(words.condition(label, subject, since: since)), Phrase(words.consequence(label))],
            rows: rows,
            commands: remedies(label, subject))
    }

    func ended(_ event: WireConditionEnded, at recorded: Timestamp) -> Passage {
        let label = Self.label(ofCondition: event.kind)
        let subject = OutsideText.name(event.subject)
        let what = label == .otherCondition ? OutsideText.name(event.kind) : words.label(label)
        var rows: [Passage.Row] = []
        if !event.detail.isEmpty { rows.append(row(.detail, OutsideText.message(event.detail))) }
        let ended = words.conditionEnded(
            label, subject, since: moment(event.since), until: moment(recorded.seconds))
        return Passage(
            tone: .good, headline: headline("✅", .recovered, [what, subject]), sentences: [Phrase(ended)], rows: rows)
    }

    private static func label(ofCondition kind: String) -> Label {
        switch kind {
        case "source-silent": .sourceSilent
        case "evaluation-stalled": .evaluationStalled
        case "projection-lagging": .projectionLagging
        case "costs-unexplained": .costsUnexplained
        case "usage-not-kept": .usageNotKept
        case "usage-lost": .usageLost
        default: .otherCondition
        }
    }

    private func remedies(_ label: Label, _ subject: String) -> [Passage.Command] {
        if label == .costsUnexplained {
            let day = subject.split(separator: "/").last.flatMap { Day(String($0)) }
            let span = day.map { "--from \($0) --to \($0)" } ?? "--last 7d"
            return [Passage.Command(title: words.seeWhatDiffers, text: "reporter reconcile \(span)")]
        }
        var commands = [Passage.Command(title: words.lookAtStages, text: "finops status")]
        let parts = subject.split(separator: "/", maxSplits: 1)
        if label == .sourceSilent, parts.count == 2, parts[0] == "openai" {
            commands.append(
                .init(title: words.findCause, text: "ingest-openai check --name \(Self.argument(String(parts[1])))"))
        } else {
            commands.append(.init(title: words.lookInside, text: "finops doctor"))
        }
        return commands
    }

    // MARK: What these share

    private func accountName(_ provider: String, _ account: String) -> String {
        OutsideText.name([provider, account].filter { !$0.isEmpty }.joined(separator: "/"))
    }

    /// One word of a shell, whatever is in it.
    private static func argument(_ text: String) -> String {
        let text = OutsideText.name(text)
        if !text.isEmpty, !text.hasPrefix("-"), text.utf8.allSatisfy(\.isUnreserved) { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
