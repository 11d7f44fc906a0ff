import EventLog
import FinOps
import SwiftProtobuf
import Testing

@Suite struct QueueingTests {
    private static let everywhere = ["mail-en", "mail-ko", "sentry", "slack"]

    private func destinations(
        _ event: FinOpsEvent, version: UInt64 = 1, of all: [String] = everywhere
    ) -> [String] {
        Queueing.items(for: event, position: Position(7), version: StreamVersion(version), destinations: all)
            .map(\.destination)
    }

    private func crossed(_ level: UInt32) -> FinOpsEvent {
        .thresholdCrossed(
            .with {
                ($0.scope, $0.name, $0.window) = ("project", "search-api", "week")
                ($0.firstDay, $0.level) = ("2026-11-16", level)
            })
    }

    @Test func aCrossingGoesToPeopleAndIsTiedToItsClearing() throws {
        #expect(destinations(crossed(80)) == ["mail-en", "mail-ko", "slack"])
        let crossing = try #require(
            Queueing.items(
                for: crossed(80), position: Position(7), version: StreamVersion(1), destinations: ["slack"]
            ).first)
        #expect(crossing.item == "crossed-7" && crossing.cause == 7 && !crossing.urgent)
        #expect(crossing.subject == "project/search-api")
        let clearing = FinOpsEvent.thresholdCleared(
            .with {
                ($0.scope, $0.name, $0.window) = ("project", "search-api", "week")
                ($0.firstDay, $0.level) = ("2026-11-16", 80)
            })
        let item = Queueing.items(
            for: clearing, position: Position(9), version: StreamVersion(2), destinations: ["slack"]
        ).first
        #expect(item?.correlation == crossing.correlation && item?.item == "cleared-9")
    }

    @Test(arguments: [(99, false), (100, true), (150, true)])
    func fromTheWholeLimitOnItIsUrgent(_ level: UInt32, _ isUrgent: Bool) {
        let items = Queueing.items(
            for: crossed(level), position: Position(7), version: StreamVersion(1), destinations: ["slack"])
        #expect(items.map(\.urgent) == [isUrgent])
    }

    @Test func aFailedCollectionGoesToAdministratorsAndTheErrorTracker() {
        let failed = FinOpsEvent.runFailed(
            .with { ($0.provider, $0.account, $0.code) = ("openai", "acme", "throttled") })
        #expect(destinations(failed) == ["mail-en", "mail-ko", "sentry"])
        #expect(destinations(failed, of: ["sentry", "slack"]) == ["sentry", "slack"])
        let stopped = FinOpsEvent.runFailed(.with { $0.code = "cancelled" })
        #expect(destinations(stopped).isEmpty)
    }

    @Test func anUnpricedModelIsToldOnce() {
        let unpriced = FinOpsEvent.modelUnpriced(.with { ($0.provider, $0.model) = ("openai", "gpt-9") })
        #expect(destinations(unpriced) == ["mail-en", "mail-ko", "slack"])
        #expect(destinations(unpriced, version: 2).isEmpty)
    }

    @Test func conditionsGoToPeople() {
        #expect(destinations(.conditionRaised(.init())) == ["mail-en", "mail-ko", "slack"])
        #expect(destinations(.conditionEnded(.init()), of: ["sentry"]).isEmpty)
    }

    @Test func whatIsNoAlertIsNotTold() { #expect(destinations(.runFinished(.init())).isEmpty) }
}
