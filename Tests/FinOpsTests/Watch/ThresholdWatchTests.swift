import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct ThresholdWatchTests {
    private func watched(_ thresholds: FinOpsEvent..., at recorded: String = "2026-11-20T00:00") -> WatchedLog {
        var log = WatchedLog()
        for threshold in thresholds { log.append([threshold], at: moment(recorded)) }
        log.append([Watched.assigned(key: "key_a", to: "search-api", "search")], at: moment(recorded))
        log.catchUp()
        return log
    }

    // MARK: Crossing

    @Test func aLevelIsReachedAtExactlyItsShareOfTheLimit() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000))
        #expect(log.take(Watched.usage(799)) == [])
        #expect(log.take(Watched.usage(1, "2026-11-20", 1)) == ["day 2026-11-20 organisation: 80 % at 8"])
        #expect(log.take(Watched.usage(199, "2026-11-20", 2)) == [])
        #expect(log.take(Watched.usage(1, "2026-11-20", 3)) == ["day 2026-11-20 organisation: 100 % at 10"])
    }

    @Test func levelsReachedTogetherAreFoundTogetherAndNeverAgain() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000))
        #expect(
            log.take(Watched.usage(1_200)) == [
                "day 2026-11-20 organisation: 80 % at 12", "day 2026-11-20 organisation: 100 % at 12",
            ])
        #expect(log.take(Watched.usage(5_000, "2026-11-20", 1)) == [])
    }

    @Test func projectTeamAndOrganisationHaveTheirOwnSums() {
        var log = watched(
            Watched.threshold(.project("search-api"), daily: 300, levels: [100]),
            Watched.threshold(.team("search"), daily: 500, levels: [100]),
            Watched.threshold(.organisation, daily: 900, levels: [100]),
            Watched.assigned(key: "key_b", to: "crawler", "search"))
        #expect(log.take(Watched.usage(300)) == ["day 2026-11-20 project search-api: 100 % at 3"])
        #expect(log.take(Watched.usage(200, key: "key_b")) == ["day 2026-11-20 team search: 100 % at 5"])
        #expect(log.take(Watched.usage(400, key: "unmapped")) == ["day 2026-11-20 organisation: 100 % at 9"])
    }

    @Test func daysAndWeeksAreThoseOfTheThresholdsZone() {
        var log = watched(Watched.threshold(.organisation, daily: 500, weekly: 900, levels: [100]))
        // 14:00 UTC is 23:00 in Seoul, 15:00 UTC the next day's first hour.
        #expect(log.take(Watched.usage(400, "2026-11-20", 14)) == [])
        #expect(log.take(Watched.usage(400, "2026-11-20", 15)) == [])
        #expect(
            log.take(Watched.usage(100, "2026-11-20", 23)) == [
                "day 2026-11-21 organisation: 100 % at 5", "week 2026-11-16 organisation: 100 % at 9",
            ])
        // Monday in Seoul, Sunday in UTC.
        #expect(log.take(Watched.usage(499, "2026-11-22", 15)) == [])
        #expect(
            log.take(Watched.usage(401, "2026-11-23", 15)) == ["week 2026-11-23 organisation: 100 % at 9"])
    }

    @Test func whatACommitTakesBackItselfWasNeverReached() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000))
        #expect(log.take(Watched.usage(1_200), Watched.restated(100, from: 1_200)) == [])
    }

    @Test func costsInAnotherCurrencyAndThresholdsInAnotherAreNotWatched() {
        var log = watched(
            Watched.threshold(.organisation, daily: 100), Watched.threshold(.team("search"), daily: 1, currency: "EUR"))
        #expect(log.take(Watched.usage(5_000, currency: "EUR")) == [])
        #expect(log.take(Watched.bill([(0, 5_000)], currency: "EUR"), Watched.tookForce()) == [])
        #expect(
            log.take(Watched.usage(80, "2026-11-20", 1, project: "proj_b")) == [
                "day 2026-11-20 organisation: 80 % at 0.8"
            ])
    }

    // MARK: Clearing

    @Test func aRestatementClearsAndWhatIsReachedAgainIsFoundAgain() {
        var log = watched(Watched.threshold(.project("search-api"), daily: 1_000))
        log.take(Watched.usage(1_000))
        #expect(
            log.take(Watched.restated(799, from: 1_000)) == [
                "day 2026-11-20 project search-api: 80 % cleared by cost at 7.99",
                "day 2026-11-20 project search-api: 100 % cleared by cost at 7.99",
            ])
        #expect(log.take(Watched.restated(0, from: 799)) == [])
        #expect(log.take(Watched.restated(900, from: 0)) == ["day 2026-11-20 project search-api: 80 % at 9"])
    }

    @Test func aCreditCountsAgainstTheSum() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        log.take(Watched.bill([(0, 1_100)]), Watched.tookForce())
        #expect(
            log.take(Watched.bill([(1, -101)], key: "key_c", project: "proj_c"), Watched.tookForce(project: "proj_c"))
                == ["day 2026-11-20 organisation: 100 % cleared by cost at 9.99"])
    }

    @Test func aBillInForceReplacesWhatWasMeteredOfItsProviderProject() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        log.take(Watched.usage(900), Watched.usage(50, project: "proj_b"))
        #expect(log.take(Watched.bill([(3, 960)])) == [], "it is not in force yet")
        #expect(log.take(Watched.tookForce()) == ["day 2026-11-20 organisation: 100 % at 10.1"])
        #expect(log.take(Watched.usage(500, "2026-11-20", 2)) == [], "metered usage yields to the bill")
        #expect(log.take(Watched.leftForce()) == [])
        #expect(
            log.take(Watched.restated(0, from: 500, "2026-11-20", 2))
                == ["day 2026-11-20 organisation: 100 % cleared by cost at 9.5"])
    }

    @Test func anAllocationReplacesTheOneBefore() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        log.take(Watched.bill([(0, 600), (1, 600)]), Watched.tookForce())
        #expect(
            log.take(Watched.bill([(1, 700), (2, 299)]))
                == ["day 2026-11-20 organisation: 100 % cleared by cost at 9.99"])
        #expect(log.take(Watched.bill([(23, 1_000)])) == ["day 2026-11-21 organisation: 100 % at 10"])
    }

    // MARK: Owners

    @Test func aLateMappingMovesWhatWasSpentToItsOwner() {
        var log = watched(
            Watched.threshold(.project("search-api"), daily: 1_000, levels: [100]),
            Watched.assigned(.providerProjectID("proj_b"), to: "crawler", "search"),
            Watched.threshold(.project("crawler"), daily: 500, levels: [100]))
        #expect(
            log.take(Watched.usage(600, key: "key_b", project: "proj_b")) == [
                "day 2026-11-20 project crawler: 100 % at 6"
            ])
        #expect(log.take(Watched.usage(500)) == [])
        #expect(
            log.take(Watched.assigned(key: "key_b", to: "search-api", "search", version: 2)) == [
                "day 2026-11-20 project crawler: 100 % cleared by cost at 0",
                "day 2026-11-20 project search-api: 100 % at 11",
            ])
    }

    @Test func aMovedProjectCountsForItsNewTeamFromItsMoment() {
        var log = watched(
            Watched.threshold(.team("search"), daily: 1_000, levels: [100]),
            Watched.threshold(.team("ads"), daily: 500, levels: [100]))
        log.take(Watched.usage(600, "2026-11-20", 1), Watched.usage(500, "2026-11-20", 5))
        #expect(
            log.take(
                Watched.assigned(
                    key: "key_a", to: "search-api", "ads", from: hour("2026-11-20", 5), version: 9)) == [
                    "day 2026-11-20 team search: 100 % cleared by cost at 6", "day 2026-11-20 team ads: 100 % at 5",
                ])
        #expect(log.take(Watched.usage(400, "2026-11-20", 4)) == ["day 2026-11-20 team search: 100 % at 10"])
    }

    @Test func costsAndOwnersOfOneCommitAreJudgedTogether() {
        var log = watched(
            Watched.threshold(.project("crawler"), daily: 1_000, levels: [100]), at: "2026-09-01T00:00")
        log.take(Watched.usage(400, "2026-10-01", 3, key: "key_b"))
        #expect(
            log.take(
                Watched.usage(700, "2026-11-20", 3, key: "key_b"),
                Watched.assigned(key: "key_b", to: "crawler", "search"),
                Watched.usage(600, "2026-10-01", 4, key: "key_b")) == ["day 2026-10-01 project crawler: 100 % at 10"])
        #expect(
            log.take(Watched.usage(300, "2026-11-20", 4, key: "key_b")) == [
                "day 2026-11-20 project crawler: 100 % at 10"
            ])
    }

    // MARK: Changed thresholds

    @Test func aRaisedLimitTakesACrossingBackAndSaysWhy() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        log.take(Watched.usage(1_000))
        #expect(
            log.take(Watched.threshold(.organisation, daily: 2_000, levels: [100]))
                == ["day 2026-11-20 organisation: 100 % cleared by limit at 10"])
        #expect(log.take(Watched.usage(1_000, "2026-11-20", 1)) == ["day 2026-11-20 organisation: 100 % at 20"])
        #expect(
            log.take(Watched.restated(999, from: 1_000, "2026-11-20", 1))
                == ["day 2026-11-20 organisation: 100 % cleared by cost at 19.99"])
    }

    @Test func aLevelThatIsNoMoreTakesItsCrossingBack() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000))
        log.take(Watched.usage(1_000))
        #expect(
            log.take(Watched.threshold(.organisation, daily: 1_000, levels: [50, 100])) == [
                "day 2026-11-20 organisation: 80 % cleared by limit at 10", "day 2026-11-20 organisation: 50 % at 10",
            ])
    }

    @Test func aRemovedThresholdTakesItsCrossingsBack() {
        var log = watched(
            Watched.threshold(.organisation, daily: 1_000, weekly: 1_000, levels: [100]),
            Watched.threshold(.team("search"), daily: 1_000, levels: [100]))
        log.take(Watched.usage(1_000))
        #expect(
            log.take(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
                == ["week 2026-11-16 organisation: 100 % cleared by removed at 10"])
        #expect(
            log.take(Watched.removed(.organisation)) == ["day 2026-11-20 organisation: 100 % cleared by removed at 10"])
        #expect(
            log.take(Watched.removed(.team("search"))) == ["day 2026-11-20 team search: 100 % cleared by removed at 10"]
        )
        #expect(log.take(Watched.usage(1_000, "2026-11-20", 1)) == [])
        #expect(
            log.take(Watched.threshold(.organisation, daily: 2_000, levels: [100]))
                == ["day 2026-11-20 organisation: 100 % at 20"], "what was spent unwatched counts")
    }

    @Test func aThresholdInAnotherZoneHasOtherDays() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        log.take(Watched.usage(600, "2026-11-20", 14), Watched.usage(600, "2026-11-20", 16))
        #expect(
            log.take(Watched.threshold(.organisation, daily: 1_000, levels: [100], zone: "UTC"))
                == ["day 2026-11-20 organisation: 100 % at 12"])
    }

    @Test func aLimitThatIsAlreadyExceededIsFoundAtOnceInWindowsThatGoOn() {
        var log = watched()
        log.take(Watched.usage(1_000), Watched.usage(2_000, "2026-11-18", 3))
        #expect(
            log.take(Watched.threshold(.organisation, daily: 1_000, weekly: 3_000, levels: [100])) == [
                "day 2026-11-20 organisation: 100 % at 10", "week 2026-11-16 organisation: 100 % at 30",
            ])
    }

    @Test func aWindowThatWasOverIsJudgedOnlyByWhatBecomesKnownLater() {
        var log = watched()
        log.take(Watched.usage(790, "2026-11-18", 3), Watched.usage(1_500, "2026-11-17", 3))
        #expect(log.take(Watched.threshold(.organisation, daily: 1_000)) == [])
        #expect(log.take(Watched.usage(10, "2026-11-17", 4)) == [], "it was over before")
        #expect(log.take(Watched.usage(10, "2026-11-18", 4)) == ["day 2026-11-18 organisation: 80 % at 8"])
        log.take(Watched.restated(0, from: 1_500, "2026-11-17", 3))
        #expect(
            log.take(Watched.restated(1_500, from: 0, "2026-11-17", 3)) == [
                "day 2026-11-17 organisation: 80 % at 15.1", "day 2026-11-17 organisation: 100 % at 15.1",
            ])
    }

    @Test func whatWasFoundIsNotFoundAgainAfterARestart() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, weekly: 2_000, levels: [100]))
        log.take(Watched.usage(1_000))
        log.restart()
        #expect(log.take(Watched.usage(500, "2026-11-20", 1)) == [])
        log.restart()
        #expect(
            log.take(Watched.restated(0, from: 1_000)) == ["day 2026-11-20 organisation: 100 % cleared by cost at 5"])
        log.restart()
        #expect(
            log.take(Watched.restated(1_500, from: 500, "2026-11-20", 1)) == [
                "day 2026-11-20 organisation: 100 % at 15"
            ])
    }

    @Test func daysThatAreLongGoneAreReadAgainWhenTheyChange() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        let first = day("2026-01-01")
        for number in 0..<120 { log.take(Watched.usage(1_000, first.advanced(by: number).description, 3)) }
        #expect(log.take(Watched.usage(1, "2026-01-01", 4)) == [], "it was found long ago")
        #expect(
            log.take(Watched.restated(998, from: 1_000, "2026-01-02", 3))
                == ["day 2026-01-02 organisation: 100 % cleared by cost at 9.98"])
    }

    @Test func oneCommitMayTouchMoreDaysThanAreKept() {
        var log = watched(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        let first = day("2026-01-01")
        log.append(
            (0..<200).map { Watched.usage(1_000, first.advanced(by: $0).description, 3) },
            at: moment("2026-11-20T12:00"))
        #expect(log.catchUp().count == 200)
    }

    // MARK: Another zone

    @Test func anotherZoneTakesBackWhatStandsInTheOldWindowsAndJudgesItsOwn() {
        var log = WatchedLog()
        log.take(Watched.threshold(.organisation, daily: 1_000, levels: [100]))
        #expect(log.take(Watched.usage(1_200, "2026-11-20", 6)) == ["day 2026-11-20 organisation: 100 % at 12"])
        let moved = Watched.threshold(.organisation, daily: 1_000, levels: [100], zone: "America/New_York")
        // The days of both are called the same, and are others.
        #expect(
            log.take(moved, at: "2026-11-20T12:01") == [
                "day 2026-11-20 organisation: 100 % cleared by zone at 12", "day 2026-11-20 organisation: 100 % at 12",
            ])
        log.restart()
        #expect(
            log.take(Watched.restated(500, from: 1_200, "2026-11-20", 6), at: "2026-11-20T12:02") == [
                "day 2026-11-20 organisation: 100 % cleared by cost at 5"
            ])
    }

    @Test func anOldAlertOfAnotherZoneIsTakenBackWhenItsDayIsRestated() {
        var log = WatchedLog()
        log.take(Watched.threshold(.organisation, daily: 1_000, levels: [100]), at: "2026-11-02T00:00")
        log.take(Watched.usage(1_200, "2026-11-02", 6), at: "2026-11-02T07:00")
        let moved = Watched.threshold(.organisation, daily: 1_000, levels: [100], zone: "America/New_York")
        #expect(log.take(moved, at: "2026-11-20T12:00") == [], "it ended more than eight days ago")
        #expect(
            log.take(Watched.restated(1_300, from: 1_200, "2026-11-02", 6), at: "2026-11-20T12:01") == [
                "day 2026-11-02 organisation: 100 % cleared by zone at 13"
            ])
    }

    @Test func aClearingNamesTheTeamThatItsCrossingNamed() throws {
        var log = WatchedLog()
        log.take(
            Watched.assigned(key: "key_a", to: "chat", "support"),
            Watched.threshold(.project("chat"), daily: 1_000, levels: [100]))
        log.take(Watched.usage(1_200))
        log.take(Watched.restated(500, from: 1_200))
        let teams = log.entries.map(\.event).compactMap { event in
            switch event {
            case .thresholdCrossed(let event): event.team
            case .thresholdCleared(let event): event.team
            default: nil
            }
        }
        #expect(teams == ["support", "support"])
    }
}
