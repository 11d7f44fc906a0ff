import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct UsageDayTests {
    private func observe(
        _ rows: [WireUsageRow], at seconds: Int64 = 1_000, covering covered: Set<UsageBucket> = [],
        _ catalogue: PriceCatalogue = .seed
    ) -> UsageDay.Command {
        .observe(
            UsageObservation(
                provider: "openai", account: "acme", observed: Timestamp(seconds: seconds), rows: rows,
                covered: covered.union(rows.map { UsageBucket($0) })), catalogue)
    }

    private func events(_ rows: [WireUsageRow]) -> [FinOpsEvent] { given(UsageDay.self).when(observe(rows)).events() }

    private func row(_ tokens: Int64, key: String = "key_a", model: String = "gpt-4o-mini") -> WireUsageRow {
        usageRow(model: model, key: key) { $0.inputTokens = tokens }
    }

    @Test func theFirstStatementIsRecordedWithItsPrice() {
        let events = events([row(1_000)])
        guard case .usageRecorded(let recorded) = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(events.count == 1)
        #expect(recorded.row.cost.nanos == 150_000)
        #expect(recorded.observed == 1_000)
        #expect(!recorded.row.priceVersion.isEmpty)
    }

    @Test func theSameStatementAgainIsNothingWhateverItsOrder() {
        let rows = [row(1, key: "b"), row(2, key: "a"), row(3, key: "c")]
        let first = events(rows)
        given(UsageDay.self, first).when(observe(rows.reversed(), at: 2_000)).thenNothing()
        #expect(first == events(rows.reversed()))
    }

    @Test func rowsOfEqualIdentityAreAdded() {
        let stated = events([row(1_000), row(500)])
        guard case .usageRecorded(let recorded) = stated.first else {
            Issue.record("\(stated)")
            return
        }
        #expect(recorded.row.quantities.inputTokens == 1_500)
        #expect(recorded.row.cost.nanos == 225_000)
    }

    @Test func rowsThatAddUpBeyondACountAreRefused() {
        given(UsageDay.self).when(observe([row(.max), row(1)])).thenRejects(.outOfRange(UsageIdentity(row(1))))
    }

    @Test func aChangedStatementIsARestatementWithTheDifference() {
        let restated = given(UsageDay.self, events([row(1_000)])).when(observe([row(400)], at: 2_000)).events()
        guard case .usageRestated(let event) = restated.first else {
            Issue.record("\(restated)")
            return
        }
        #expect(event.row.cost.nanos == 60_000)
        #expect(event.difference.nanos == -90_000)
        #expect(event.previousCost.nanos == 150_000)
        #expect(event.previous.inputTokens == 1_000)
        #expect(event.previousObserved == 1_000)
    }

    @Test func aRowThatVanishedFromACoveredBucketIsRestatedWithZeros() {
        let history = events([row(1_000, key: "a"), row(500, key: "b")])
        let restated = given(UsageDay.self, history).when(observe([row(500, key: "b")], at: 2_000)).events()
        guard case .usageRestated(let event) = restated.first else {
            Issue.record("\(restated)")
            return
        }
        #expect(event.row.apiKeyID == "a")
        #expect(event.row.quantities == WireQuantities())
        #expect(event.row.cost == usd(nanos: 0).wire)
        #expect(event.difference.nanos == -150_000)
        given(UsageDay.self, history + restated).when(observe([row(500, key: "b")], at: 3_000)).thenNothing()
    }

    @Test func aRowOfABucketThatTheWalkDidNotCoverStays() {
        given(UsageDay.self, events([row(1_000)])).when(observe([], covering: [])).thenNothing()
    }

    @Test func anEmptyCoveredBucketEmptiesIt() {
        let bucket = UsageBucket(kind: "completions", start: row(1).bucketStart)
        let restated = given(UsageDay.self, events([row(1_000)])).when(observe([], covering: [bucket])).events()
        #expect(restated.count == 1)
    }

    @Test func nullIsAValueOfItsOwn() {
        let rows = [
            usageRow(key: nil) { $0.inputTokens = 1 }, usageRow(key: "") { $0.inputTokens = 1 },
            usageRow(key: nil, batch: false) { $0.inputTokens = 1 },
        ]
        #expect(events(rows).count == 3)
    }

    @Test func anUnpricedModelIsAnnouncedOncePerDay() {
        let first = events([row(1, model: "new-1"), row(2, key: "b", model: "new-1"), row(3, model: "new-2")])
        let announced = first.compactMap { if case .modelUnpriced(let event) = $0 { event.model } else { nil } }
        #expect(announced == ["new-1", "new-2"])
        let later = usageRow(model: "new-1", start: hour("2026-11-20", 5)) { $0.inputTokens = 9 }
        let second = given(UsageDay.self, first).when(observe([later], at: 2_000)).events()
        #expect(second.count == 1)
    }

    @Test func unchangedQuantitiesAreNeverPricedAgainButNewOnesAre() throws {
        let file = #"{"models":[{"provider":"openai","model":"gpt-4o-mini","prices":[{"from":null,"input":"7"}]}]}"#
        let dearer = PriceCatalogue(try PriceFile(Array(file.utf8)))
        let history = events([row(1_000, key: "a"), row(1_000, key: "b")])
        let restated = given(UsageDay.self, history).when(
            observe([row(1_000, key: "a"), row(2_000, key: "b")], at: 2_000, dearer)
        ).events()
        guard case .usageRestated(let event) = restated.first else {
            Issue.record("\(restated)")
            return
        }
        #expect(restated.count == 1)
        #expect(event.row.cost.nanos == 14_000_000)
        given(UsageDay.self, history).when(.reprice(dearer)).thenNothing()
    }

    @Test func aPriceThatAppearsReprices() throws {
        let history = events([row(1_000, model: "new-1"), row(1_000)])
        let file = #"{"models":[{"provider":"openai","model":"new-1","prices":[{"from":null,"input":"2"}]}]}"#
        let repriced = given(UsageDay.self, history).when(
            .reprice(PriceCatalogue(try PriceFile(Array(file.utf8))))
        ).events()
        guard case .usageRepriced(let event) = repriced.first else {
            Issue.record("\(repriced)")
            return
        }
        #expect(repriced.count == 1)
        #expect(event.row.cost.nanos == 2_000_000)
        #expect(event.row.unpricedReason.isEmpty)
        #expect(!event.hasPreviousCost)
        #expect(event.difference.nanos == 2_000_000)
        #expect(event.observed == 1_000)
    }

    @Test func theSameDecisionHasTheSameIdsAndADifferentOneOthers() {
        func appends(_ rows: [WireUsageRow]) -> [StreamAppend] {
            UsageDay.appends(
                events(rows), account: "acme", day: day("2026-11-20"), expected: .none, occurred: .init(seconds: 1))
        }
        let rows = [row(1), row(2, model: "new-1")]
        #expect(appends(rows) == appends(rows.reversed()))
        #expect(appends(rows).map(\.stream.text) == ["usage-acme-2026-11-20", "unpriced-openai-new-1"])
        #expect(appends([row(1)])[0].events[0].id != appends([row(2)])[0].events[0].id)
    }

    @Test func anObservationIsSplitByUTCDay() {
        let late = usageRow(start: hour("2026-11-20", 23))
        let early = usageRow(start: hour("2026-11-21", 0))
        let observation = UsageObservation(
            provider: "openai", account: "acme", observed: .init(seconds: 1), rows: [late, early],
            covered: [UsageBucket(kind: "images", start: hour("2026-11-22", 5))])
        #expect(Set(observation.days.keys) == [day("2026-11-20"), day("2026-11-21"), day("2026-11-22")])
        #expect(observation.days[day("2026-11-20")]?.rows == [late])
    }
}
