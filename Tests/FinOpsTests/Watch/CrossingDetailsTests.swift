import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct CrossingDetailsTests {
    private func crossing(_ events: [FinOpsEvent], _ threshold: FinOpsEvent, then last: FinOpsEvent...) throws
        -> WireThresholdCrossed
    {
        var log = WatchedLog()
        log.append([threshold], at: moment("2026-11-01T00:00"))
        log.append([Watched.assigned(key: "key_a", to: "search-api", "search")], at: moment("2026-11-01T00:00"))
        log.append([Watched.assigned(key: "key_b", to: "crawler", "ads")], at: moment("2026-11-01T00:00"))
        log.append(events, at: moment("2026-11-20T12:00"))
        log.catchUp()
        log.append(last, at: moment("2026-11-20T12:00"))
        guard case .thresholdCrossed(let event) = try #require(log.catchUp().first) else {
            throw Unexpected()
        }
        return event
    }

    private struct Unexpected: Error {}

    @Test func aCrossingSaysEverythingThatIsKnown() throws {
        let found = try crossing(
            [
                // The day before, Seoul: 15:00 UTC on the 18th to 15:00 UTC on the 19th.
                Watched.usage(100, "2026-11-18", 15), Watched.usage(300, "2026-11-18", 20),
                Watched.usage(70, "2026-11-18", 16, model: "gpt-5-mini"),
                Watched.usage(900, "2026-11-18", 21), Watched.usage(800, "2026-11-18", 14),
                Watched.usage(5_000, "2026-11-18", 15, key: "key_b"),
                // This one, known up to 21:00 UTC: a quarter of it.
                Watched.usage(500, "2026-11-19", 15), Watched.usage(90, "2026-11-19", 16, model: "gpt-5-mini"),
            ],
            Watched.threshold(.project("search-api"), daily: 1_000, levels: [100]),
            then: Watched.usage(410, "2026-11-19", 20), Watched.usage(7_000, "2026-11-19", 20, key: "key_b"))
        #expect(found.words == "day 2026-11-20 project search-api: 100 % at 10")
        #expect(found.windowStart == hour("2026-11-19", 15))
        #expect(found.windowEnd == hour("2026-11-20", 15))
        #expect(found.zone == "Asia/Seoul")
        #expect(found.limit.text == "10")
        #expect(found.basis == "metered")
        #expect(found.position == 14, "the commit follows the crossing of the day before")
        #expect(found.usageThrough == hour("2026-11-19", 21))
        #expect(found.previous.text == "4.7", "the first six hours of the day before")
        #expect(found.forecast.text == "40")
        #expect(found.cause.provider == "openai")
        #expect(found.cause.account == "acme")
        #expect(found.cause.providerProjectID == "proj_a")
        #expect(found.cause.apiKeyID == "key_a")
        #expect(found.cause.model == "gpt-5")
        #expect(found.cause.cost.text == "9.1")
        #expect(found.cause.growth.text == "5.1")
        #expect(found.team == "search")
    }

    @Test func callsCountAtOnceAndTheCauseIsTheGatewaysKey() throws {
        let found = try crossing(
            [Watched.added("search-api", "search"), Watched.call(300, "2026-11-20", 1, gatewayKey: "key-2")],
            Watched.threshold(.project("search-api"), daily: 1_000, levels: [100]),
            then: Watched.call(700, "2026-11-20", 2, gatewayKey: "key-1", providerProject: "proj_a"))
        #expect(found.words == "day 2026-11-20 project search-api: 100 % at 10")
        #expect(found.basis == "estimated" && found.team == "search")
        #expect(found.cause.apiKeyID == "key-1" && found.cause.gatewayKey && found.cause.model == "gpt-5")
        #expect(found.cause.cost.text == "7" && found.cause.providerProjectID == "proj_a")
        #expect(found.usageThrough == hour("2026-11-20", 2) + 92, "the call's end")
    }

    @Test func usageTakesThePlaceOfCallsAndTheAlertIsTakenBack() {
        var log = WatchedLog()
        let scope = CostScope.project("search-api")
        log.take(Watched.threshold(scope, daily: 1_000, levels: [100]), Watched.added("search-api", "search"))
        #expect(log.take(Watched.call(1_200)) == ["day 2026-11-20 project search-api: 100 % at 12"])
        // The provider metered less in that hour: what it says is the project's, though nothing maps its key.
        #expect(
            log.take(Watched.usage(900)) == ["day 2026-11-20 project search-api: 100 % cleared by cost at 9"])
        // Other tiers and hours are not touched by it.
        #expect(
            log.take(Watched.call(100, "2026-11-20", 0, tier: "flex"))
                == ["day 2026-11-20 project search-api: 100 % at 10"])
    }

    @Test func theOrganisationsCauseIsWhoeverGrewMost() throws {
        let found = try crossing(
            [Watched.usage(600, "2026-11-18", 15), Watched.usage(650, "2026-11-19", 15)],
            Watched.threshold(.organisation, daily: 1_000, levels: [100]),
            then: Watched.usage(350, "2026-11-19", 15, key: "key_b"))
        #expect(found.cause.apiKeyID == "key_b")
        #expect(found.cause.growth.text == "3.5")
        #expect(found.team == "")
    }

    @Test func anHourThatIsNotOverIsKnownUpToTheMomentItWasAskedFor() throws {
        let found = try crossing(
            [], Watched.threshold(.organisation, daily: 1_000, levels: [100]),
            then: Watched.usage(1_000, "2026-11-19", 15, observed: hour("2026-11-19", 15) + 600))
        #expect(found.usageThrough == hour("2026-11-19", 15) + 600)
        #expect(found.forecast.text == "1440")
    }

    @Test func aBillAloneForecastsNothing() throws {
        let found = try crossing(
            [Watched.bill([(0, 1_000)])], Watched.threshold(.organisation, daily: 1_000, levels: [100]),
            then: Watched.tookForce())
        #expect(found.basis == "billed")
        #expect(found.usageThrough == 0)
        #expect(found.forecast.text == "10")
        #expect(found.previous.text == "0")
    }

    @Test func aWindowThatIsOverForecastsWhatItCost() throws {
        let found = try crossing(
            [
                Watched.usage(10, "2026-11-19", 14), Watched.usage(400, "2026-11-18", 14),
                Watched.usage(5, "2026-11-20", 2),
            ],
            Watched.threshold(.organisation, daily: 1_000, levels: [100]),
            then: Watched.usage(990, "2026-11-18", 20))
        #expect(found.firstDay == "2026-11-19")
        #expect(found.usageThrough == found.windowEnd)
        #expect(found.forecast.text == "10")
        #expect(found.previous.text == "4")
    }

    @Test func billedAndMeteredTogetherAreMixed() throws {
        let found = try crossing(
            [Watched.bill([(0, 500)]), Watched.tookForce()],
            Watched.threshold(.organisation, daily: 1_000, levels: [100]),
            then: Watched.usage(500, key: "key_b", project: "proj_b"))
        #expect(found.basis == "mixed")
    }

    @Test func whereNothingGrewNobodyIsNamed() throws {
        var log = WatchedLog()
        log.take(Watched.threshold(.organisation, daily: 2_000, levels: [100]), at: "2026-11-20T00:00")
        log.take(Watched.usage(1_000, "2026-11-18", 15), Watched.usage(1_000, "2026-11-19", 15))
        log.append([Watched.threshold(.organisation, daily: 1_000, levels: [100])], at: moment("2026-11-20T12:00"))
        guard case .thresholdCrossed(let found) = try #require(log.catchUp().last) else { throw Unexpected() }
        #expect(!found.hasCause)
    }

    @Test func weeksAreComparedWithTheWeekBeforeUpToTheSameMoment() throws {
        let found = try crossing(
            [
                Watched.usage(100, "2026-11-08", 15), Watched.usage(200, "2026-11-10", 14),
                Watched.usage(400, "2026-11-10", 15), Watched.usage(800, "2026-11-08", 14),
                Watched.usage(500, "2026-11-15", 15),
            ],
            Watched.threshold(.organisation, weekly: 1_000, levels: [100], zone: "Asia/Seoul"),
            then: Watched.usage(500, "2026-11-17", 14))
        #expect(found.words == "week 2026-11-16 organisation: 100 % at 10")
        #expect(found.previous.text == "3")
        #expect(found.forecast.text == "35", "two of seven days are known")
    }
}

extension WireThresholdCrossed {
    fileprivate var words: String { FinOpsEvent.thresholdCrossed(self).words }
}
