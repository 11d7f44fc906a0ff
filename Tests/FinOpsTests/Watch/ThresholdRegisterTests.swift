import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct ThresholdRegisterTests {
    private func set(_ event: FinOpsEvent) -> ThresholdRegister.Command {
        guard case .thresholdSet(let event) = event else { preconditionFailure("a threshold") }
        return .set(event, projects: ["search-api", "crawler"], teams: ["search"])
    }

    @Test func aThresholdIsSetOnceAndChangedByAnother() {
        let first = Watched.threshold(.project("search-api"), daily: 1_000)
        let second = Watched.threshold(.project("search-api"), daily: 2_000)
        given(ThresholdRegister.self).when(set(first)).then(first)
        given(ThresholdRegister.self, first).when(set(first)).thenNothing()
        given(ThresholdRegister.self, first).when(set(second)).then(second)
    }

    @Test func onlyWhatThereIsCanBeRemoved() {
        let organisation = Watched.threshold(.organisation, weekly: 1_000)
        given(ThresholdRegister.self, organisation).when(.remove(.organisation, reason: ""))
            .then(Watched.removed(.organisation))
        given(ThresholdRegister.self, organisation).when(.remove(.team("search"), reason: ""))
            .thenRejects(.noThreshold(.team("search")))
    }

    @Test func whatNobodyCouldWatchIsRefused() {
        let register = given(ThresholdRegister.self)
        register.when(set(Watched.threshold(.project("serach-api"), daily: 1)))
            .thenRejects(.unknownName(.project("serach-api"), known: ["crawler", "search-api"]))
        register.when(set(Watched.threshold(.team("ads"), daily: 1)))
            .thenRejects(.unknownName(.team("ads"), known: ["search"]))
        register.when(set(Watched.threshold(.organisation))).thenRejects(.noLimit)
        register.when(set(Watched.threshold(.organisation, daily: 0))).thenRejects(.limitNotPositive("daily"))
        register.when(set(Watched.threshold(.organisation, weekly: -1))).thenRejects(.limitNotPositive("weekly"))
        for levels: [UInt32] in [[], [0], [1_001], [100, 80], [80, 80], Array(1...11)] {
            register.when(set(Watched.threshold(.organisation, daily: 1, levels: levels)))
                .thenRejects(.badLevels(levels))
        }
        register.when(set(Watched.threshold(.organisation, daily: 1, zone: "Asia/Soul")))
            .thenRejects(.unknownZone("Asia/Soul"))
        register.when(set(Watched.threshold(.organisation, daily: 1, policy: "blok")))
            .thenRejects(.unknownPolicy("blok"))
    }

    @Test(arguments: ["block", "disable-keys"])
    func aLimitThatIsHeldIsInTheCurrencyOfPrices(_ policy: String) {
        let dollars = Watched.threshold(.organisation, daily: 1, policy: policy)
        given(ThresholdRegister.self).when(set(dollars)).then(dollars)
        given(ThresholdRegister.self)
            .when(set(Watched.threshold(.organisation, daily: 1, currency: "KRW", policy: policy)))
            .thenRejects(.notHeldIn("KRW"))
    }
}
