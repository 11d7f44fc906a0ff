import EventLog
import FinOps
package import JSON

/// A notice as an event for a Sentry-compatible endpoint, in English.
package struct SentryText: Sendable {
    /// The event, as its item in an envelope or the body of `store`.
    package let body: JSONValue

    package init(_ notice: Notice, settings: NoticeSettings) {
        let message = Message(notice, language: .english, settings: settings)
        let first = notice.facts.first
        body = .object([
            .init("event_id", .string(Self.eventID(notice.id))),
            .init("timestamp", .string(notice.at.rfc3339)),
            .init("platform", "other"),
            .init("logger", "finops.notifier"),
            .init("level", .string(Self.level(message.passages.first?.tone))),
            .init("message", .string(message.subject(within: 1_000) { $0.utf16.count })),
            .init("tags", .object(first.map(Self.tags) ?? [])),
            .init("extra", .object(Self.extra(message, notice))),
            .init("fingerprint", .array((["finops"] + (first.map(Self.fingerprint) ?? [])).map(JSONValue.string))),
        ])
    }

    /// 32 hexadecimal digits: a UUID without its hyphens, so that a repeat is one and the same event there.
    private static func eventID(_ id: String) -> String {
        String(
            id.lowercased().unicodeScalars.filter { ("0"..."9" ~= $0) || ("a"..."f" ~= $0) }.prefix(32).map(
                Character.init))
    }

    private static func level(_ tone: Passage.Tone?) -> String {
        switch tone {
        case .critical, .warning: "error"
        case .good, .neutral, nil: "info"
        }
    }

    // MARK: What it is found by

    private static func tags(_ fact: Notice.Fact) -> [JSONValue.Member] {
        ([("kind", fact.kind.rawValue)] + identity(fact))
            .filter { !$0.1.isEmpty }
            .map { .init($0.0, .string(OutsideText.name($0.1))) }
    }

    /// Failures of one account for one reason are one issue there.
    private static func fingerprint(_ fact: Notice.Fact) -> [String] {
        [fact.kind.rawValue] + identity(fact).map { OutsideText.name($0.1) }
    }

    private static func identity(_ fact: Notice.Fact) -> [(String, String)] {
        switch fact.event {
        case .runFailed(let event): [("provider", event.provider), ("account", event.account), ("code", event.code)]
        case .modelUnpriced(let event): [("provider", event.provider), ("model", event.model)]
        case .thresholdCrossed(let event): [("scope", event.scope), ("name", event.name), ("window", event.window)]
        case .thresholdCleared(let event): [("scope", event.scope), ("name", event.name), ("window", event.window)]
        case .conditionRaised(let event): [("condition", event.kind), ("subject", event.subject)]
        case .conditionEnded(let event): [("condition", event.kind), ("subject", event.subject)]
        default: []
        }
    }

    // MARK: What it says besides

    private static func extra(_ message: Message, _ notice: Notice) -> [JSONValue.Member] {
        let facts = message.passages.map { passage -> JSONValue in
            .object(
                [.init("what", .string(passage.headline.text))]
                    + passage.rows.map { .init($0.caption, .string($0.value.plain)) }
                    + passage.commands.map { .init($0.title, .string($0.text)) })
        }
        return [
            .init("facts", .array(facts)),
            .init("positions", .array(notice.facts.map { .integer($0.position.value) })),
            .init("held_back", .integer(notice.heldBack)),
            .init("may_repeat", .bool(notice.mayRepeat)),
        ]
    }
}
