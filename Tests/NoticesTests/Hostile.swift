import EventLog
import FinOps
import Notices
import SwiftProtobuf
import TestSupport

/// Notices whose names, ids and messages do what names should not.
struct Hostile {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private static let pieces = [
        "<!channel>", "<!here|x>", "<@U123>", "@here", "@everyone ", "*bold*", "_it_", "~no~", "`", "```", "&amp;", "&",
        "<https://evil.example|safe>", "https://evil.example/", "</td></table>", "<script>alert(1)</script>",
        "\" onload=\"x", "'", "\\", "\u{202E}abc", "\u{200B}", "\n", "\r\n", "\t", "\u{0}",
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
        "é\u{301}\u{302}\u{303}\u{304}", "검색팀", "커머스", "-->", "]]>", "{{x}}", "$(rm -rf /)", "; curl evil", "| sh",
        " ", "search-api", "🔥", "%s%n", "../..", ":fire:", "> quote",
    ]

    mutating func text(atMost pieces: Int = 12) -> String {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: return ""
        case 1: return String(repeating: Self.pieces.randomElement(using: &random) ?? "", count: 3_000)
        default:
            return (0..<Int.random(in: 1...pieces, using: &random))
                .map { _ in Self.pieces.randomElement(using: &random) ?? "" }.joined()
        }
    }

    private mutating func money() -> WireMoney {
        .with {
            $0.nanos =
                Bool.random(using: &random)
                ? .random(in: .min ... .max, using: &random) : .random(in: 0...2, using: &random)
            $0.currency = ["USD", "USD", "KRW", "EUR", "", "<b>"].randomElement(using: &random) ?? ""
        }
    }

    private mutating func crossing() -> WireThresholdCrossed {
        var event = WireThresholdCrossed()
        event.scope = ["project", "team", "organisation", text()].randomElement(using: &random) ?? ""
        event.name = text()
        event.team = text()
        event.window = ["day", "week", text()].randomElement(using: &random) ?? ""
        event.firstDay = ["2026-11-11", "9999-12-31", text()].randomElement(using: &random) ?? ""
        event.zone = ["Asia/Seoul", text()].randomElement(using: &random) ?? ""
        event.level = .random(in: 0...1_000, using: &random)
        event.limit = money()
        event.cost = money()
        event.basis = ["metered", text()].randomElement(using: &random) ?? ""
        event.usageThrough = .random(in: -1_000_000_000_000...1_000_000_000_000, using: &random)
        event.windowEnd = .max
        event.previous = money()
        event.forecast = money()
        event.cause.provider = ["openai", text()].randomElement(using: &random) ?? ""
        event.cause.account = text()
        event.cause.apiKeyID = ["key_1", text()].randomElement(using: &random) ?? ""
        event.cause.providerProjectID = ["proj_1", text()].randomElement(using: &random) ?? ""
        event.cause.model = text()
        event.cause.cost = money()
        event.cause.growth = money()
        return event
    }

    private mutating func event(_ kind: FactKind) -> FinOpsEvent? {
        switch kind {
        case .crossed: return .thresholdCrossed(crossing())
        case .cleared:
            let crossing = crossing()
            var event = WireThresholdCleared()
            event.scope = crossing.scope
            event.name = crossing.name
            event.window = crossing.window
            event.firstDay = crossing.firstDay
            event.zone = crossing.zone
            event.team = crossing.team
            event.level = crossing.level
            event.limit = crossing.limit
            event.cost = crossing.cost
            event.reason = ["cost", "limit", "removed", "zone", text()].randomElement(using: &random) ?? ""
            return .thresholdCleared(event)
        case .collectionFailed:
            var event = WireRunFailed()
            event.provider = ["openai", text()].randomElement(using: &random) ?? ""
            event.account = text()
            event.kind = text()
            event.fromDay = ["2026-11-11", text()].randomElement(using: &random) ?? ""
            event.toDay = ["2026-11-12", text()].randomElement(using: &random) ?? ""
            event.code = ["not-authorised", text()].randomElement(using: &random) ?? ""
            event.message = text(atMost: 200)
            event.keyMask = text()
            event.retriable = .random(using: &random)
            return .runFailed(event)
        case .modelUnpriced:
            var event = WireModelUnpriced()
            event.provider = text()
            event.model = text()
            event.account = text()
            event.day = text()
            event.reason = text()
            return .modelUnpriced(event)
        case .conditionRaised:
            var event = WireConditionRaised()
            event.kind = ["source-silent", text()].randomElement(using: &random) ?? ""
            event.subject = "openai/" + text()
            event.detail = text()
            return .conditionRaised(event)
        case .conditionEnded:
            var event = WireConditionEnded()
            event.kind = ["projection-lagging", text()].randomElement(using: &random) ?? ""
            event.subject = text()
            event.detail = text()
            return .conditionEnded(event)
        case .test, .canary: return nil
        }
    }

    mutating func notice(facts count: Int) -> Notice {
        let facts = (0..<count).map { _ in
            let kind = FactKind.allCases.randomElement(using: &random) ?? .test
            // Now and then an event that is not what its kind says.
            let event = Int.random(in: 0..<30, using: &random) == 0 ? nil : event(kind)
            return Notice.Fact(kind: kind, event: event, position: Position(7), recorded: Timestamp(seconds: 0))
        }
        return Notice(
            id: text(), destination: text(), facts: facts, heldBack: .random(in: 0...1_000, using: &random),
            mayRepeat: .random(using: &random), at: Timestamp(seconds: 1_794_373_265))
    }
}
