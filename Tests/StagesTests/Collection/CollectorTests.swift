import EventLog
import FinOps
import TestSupport
import Testing

@testable import Stages

@Suite struct CollectorTests {
    private let monday = day("2026-11-16")
    private let later = Timestamp(seconds: hour("2026-11-25", 0))

    private func row(_ day: String, _ hourOfDay: Int64 = 0, model: String = "gpt-4o-mini", input: Int64 = 1_000)
        -> WireUsageRow
    {
        usageRow(model: model, start: hour(day, hourOfDay)) {
            $0.inputTokens = input
            $0.requests = 1
        }
    }

    private func line(_ day: String, _ amount: String, item: String = "gpt-4o-mini, input") -> BillLine {
        BillLine(
            bucketStart: hour(day, 0), bucketEnd: hour(day, 24), projectID: "proj_a", lineItem: item,
            amountText: amount, currency: "usd")
    }

    @Test func aBusinessDayIsCollectedFromEveryUTCDayItTouches() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usage = [day("2026-11-15"): [row("2026-11-15", 20)], day("2026-11-16"): [row("2026-11-16", 3)]]
            $0.bills = [day("2026-11-16"): [line("2026-11-16", "0.15")]]
        }
        let report = try await scene.collector().collect(.backfill, monday...monday)
        #expect(scene.source.asked == [day("2026-11-15")...day("2026-11-16")])
        #expect(report.failure == nil)
        #expect(report.rows == 3)
        #expect(report.recorded == 3)
        #expect(try await scene.standing(day("2026-11-15")).count == 1)
        let bill = try await scene.log.readAll(stream: .bill(account: "acme", day: day("2026-11-16")))
        #expect(bill.count == 1)
    }

    @Test func theSameAgainChangesNothing() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change { $0.usage = [day("2026-11-16"): [row("2026-11-16")]] }
        _ = try await scene.collector().collect(.backfill, monday...monday)
        let again = try await scene.collector().collect(.backfill, monday...monday)
        #expect(again.recorded == 0)
        #expect(again.restated == 0)
        #expect(try await scene.log.readAll(stream: .usage(account: "acme", day: day("2026-11-16"))).count == 1)
    }

    @Test func whatTheProviderChangedIsRestatedAndWhatVanishedIsZero() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usage = [day("2026-11-16"): [row("2026-11-16", 1), row("2026-11-16", 2, input: 5)]]
            $0.bills = [day("2026-11-16"): [line("2026-11-16", "0.15")]]
        }
        _ = try await scene.collector().collect(.backfill, monday...monday)
        scene.source.change {
            $0.usage = [day("2026-11-16"): [row("2026-11-16", 1, input: 2_000)]]
            $0.bills = [day("2026-11-16"): [line("2026-11-16", "-0.05")]]
        }
        let report = try await scene.collector().collect(.backfill, monday...monday)
        #expect(report.recorded == 0)
        #expect(report.restated == 3)
        #expect(try await scene.standing(day("2026-11-16")).map(\.quantities.inputTokens) == [2_000])
    }

    @Test func aKindThatIsNotToldIsNotTakenAsVanished() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change { $0.usage = [day("2026-11-16"): [row("2026-11-16", 1)]] }
        _ = try await scene.collector().collect(.backfill, monday...monday)
        scene.source.change {
            $0.usage = [:]
            $0.kinds = ["embeddings"]
        }
        #expect(try await scene.collector().collect(.backfill, monday...monday).restated == 0)
        #expect(try await scene.standing(day("2026-11-16")).count == 1)
    }

    @Test func aRunThatIsKilledAnywhereLosesNothingAndDoublesNothing() async throws {
        let models = (0..<2_500).map { "model-\($0)" }
        let rows = models.map { row("2026-11-16", 1, model: $0) }
        for appends in 0...7 {
            let scene = CollectionScene(now: later)
            scene.source.change {
                $0.usage = [day("2026-11-15"): [row("2026-11-15", 20)], day("2026-11-16"): rows]
                $0.bills = [day("2026-11-16"): [line("2026-11-16", "0.15")]]
            }
            let dying = DyingStore(scene.log, appends: appends)
            do { _ = try await scene.collector(in: dying).collect(.backfill, monday...monday) } catch is StoreError {}
            let report = try await scene.collector().collect(.backfill, monday...monday)
            #expect(report.failure == nil)
            #expect(try await scene.standing(day("2026-11-16")).count == 2_500)
            let stream = try await scene.log.readAll(stream: .usage(account: "acme", day: day("2026-11-16")))
            #expect(stream.count == 2_500, "\(appends) appends before the end")
            let index = try await scene.log.allStreams(prefix: "unpriced-openai-model-")
            #expect(index.count == 2_500)
        }
    }

    @Test func aDayIsAppendedInBatchesThatFollowEachOther() {
        let events = (0..<2_500).map { number in
            var recorded = WireUsageRecorded()
            recorded.observed = Int64(number)
            return FinOpsEvent.usageRecorded(recorded)
        }
        let appends = UsageDay.appends(
            events, account: "acme", day: monday, expected: StreamVersion(7), occurred: later)
        let batches = DayKeeper.batches(of: appends)
        #expect(batches.map { $0.reduce(0) { $0 + $1.events.count } } == [1_000, 1_000, 500])
        #expect(
            batches.map(\.[0].expected) == [
                .exactly(StreamVersion(7)), .exactly(StreamVersion(1_007)), .exactly(StreamVersion(2_007)),
            ])
    }

    @Test func anotherWriterInTheMiddleIsNoticedAndTheDayDecidedAgain() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change { $0.usage = [day("2026-11-16"): [row("2026-11-16", 1), row("2026-11-16", 2)]] }
        try await withThrowingTaskGroup(of: CollectionReport.self) { group in
            for _ in 0..<8 {
                group.addTask { try await scene.collector().collect(.backfill, self.monday...self.monday) }
            }
            for try await report in group { #expect(report.failure == nil) }
        }
        #expect(try await scene.log.readAll(stream: .usage(account: "acme", day: day("2026-11-16"))).count == 2)
    }

    @Test func aRunLeavesItsRecord() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usage = [day("2026-11-16"): [row("2026-11-16")]]
            $0.notes = ["a note"]
        }
        let report = try await scene.collector().collect(.daily, monday...day("2026-11-18"))
        let events = try await scene.log.readAll(stream: .run(account: "acme", firstDay: day("2026-11-15")))
        #expect(events.map(\.type) == ["run.started", "run.finished"])
        #expect(events.allSatisfy { $0.event.correlation == report.run })
        guard case .runFinished(let finished) = try EventCatalogue.decode(events[1].event) else {
            Issue.record("not finished")
            return
        }
        #expect(finished.fromDay == "2026-11-16")
        #expect(finished.toDay == "2026-11-18")
        #expect(finished.kind == "daily")
        #expect(finished.rows == 1)
        #expect(finished.requests == 2)
        #expect(finished.notes == ["a note"])
    }

    @Test func costsThatAreAwayDoNotUndoTheUsage() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usage = [day("2026-11-16"): [row("2026-11-16")]]
            $0.billFailure = SourceFailure(.unavailable, "away")
        }
        let report = try await scene.collector().collect(.backfill, monday...monday)
        #expect(report.failure?.isRetriable == true)
        #expect(report.recorded == 1)
        #expect(try await scene.standing(day("2026-11-16")).count == 1)
    }

    @Test func aRefusedKeyIsRecordedMaskedAndAsksNothingFurther() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usageFailure = SourceFailure(.notAuthorised, "Incorrect API key")
            $0.bills = [day("2026-11-16"): [line("2026-11-16", "0.15")]]
        }
        _ = try await scene.collector().collect(.backfill, monday...monday)
        let last = try #require(try await scene.events().last)
        guard case .runFailed(let failed) = last else {
            Issue.record("\(last)")
            return
        }
        #expect(failed.code == "not-authorised")
        #expect(failed.keyMask == "sk-admin-…0001")
        #expect(!failed.retriable)
        #expect(try await scene.log.allStreams(prefix: "bill-").isEmpty)
    }

    @Test func usageThatMakesNoSenseDoesNotKeepTheBillOut() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            $0.usageFailure = SourceFailure(.malformedAnswer, "row 7")
            $0.bills = [day("2026-11-16"): [line("2026-11-16", "0.15")]]
        }
        let report = try await scene.collector().collect(.backfill, monday...monday)
        #expect(report.failure?.code == "malformed-answer")
        #expect(try await scene.log.allStreams(prefix: "bill-").count == 1)
    }

    @Test func aDayThatMakesNoSenseIsLeftOutAloneAndNamed() async throws {
        let scene = CollectionScene(now: later)
        let (sunday, tuesday) = (day("2026-11-15"), day("2026-11-17"))
        scene.source.change {
            $0.usage = [monday: [row("2026-11-16", 1)], tuesday: [row("2026-11-17", 1)]]
            $0.bills = [monday: [line("2026-11-16", "0.15")], tuesday: [line("2026-11-17", "0.15")]]
        }
        _ = try await scene.collector().collect(.backfill, monday...tuesday)
        scene.source.change {
            // What the answer still has of a day that is left out says nothing: not even that a row vanished.
            $0.usage = [
                sunday: [row("2026-11-15", 20, input: 1 << 50)], tuesday: [row("2026-11-17", 1, input: 2_000)],
            ]
            $0.rejectedUsage = [monday: SourceFailure(.malformedAnswer, "row 7: batch is no flag")]
            $0.bills = [monday: [line("2026-11-16", "much")], tuesday: [line("2026-11-17", "0.25")]]
        }
        let report = try await scene.collector().collect(.backfill, monday...tuesday)
        #expect(report.restated == 2 && report.recorded == 0)
        #expect(try await scene.standing(monday).map(\.quantities.inputTokens) == [1_000])
        #expect(try await scene.standing(tuesday).map(\.quantities.inputTokens) == [2_000])
        #expect(report.failure?.kind == .malformedAnswer)
        let told = report.failure?.message ?? ""
        for words in [
            "the usage of 2026-11-16 was left out: row 7: batch is no flag", "the usage of 2026-11-15 was left out: ",
            "the bill of 2026-11-16 was left out: ", "amount.value is \"much\"",
        ] { #expect(told.contains(words), "\(told)") }
        #expect(try await scene.events().contains { if case .runFailed = $0 { true } else { false } })
    }

    @Test func aFailureThatEndsTheWalkStandsBeforeTheDaysLeftOut() async throws {
        let scene = CollectionScene(now: later)
        scene.source.change {
            let days = (1...7).map { (day("2026-11-0\($0)"), SourceFailure(.malformedAnswer, "no count")) }
            $0.rejectedUsage = Dictionary(uniqueKeysWithValues: days)
            $0.billFailure = SourceFailure(.unavailable, "away")
        }
        let report = try await scene.collector().collect(.backfill, day("2026-11-02")...day("2026-11-07"))
        #expect(report.failure?.kind == .unavailable && report.failure?.isRetriable == true)
        #expect(report.failure?.message.hasPrefix("away; the usage of 2026-11-01 was left out: no count; ") == true)
        #expect(report.failure?.message.hasSuffix("; so were 2 more days") == true)
    }

    @Test func daysThatHaveNotBegunAreNotAskedFor() async throws {
        let scene = CollectionScene(now: Timestamp(seconds: hour("2026-11-16", 10)))
        let report = try await scene.collector().collect(.backfill, day("2026-12-01")...day("2026-12-02"))
        #expect(report.notes.count == 1)
        #expect(scene.source.asked.isEmpty)
        _ = try await scene.collector().collect(.backfill, monday...day("2026-11-30"))
        #expect(scene.source.asked == [day("2026-11-15")...day("2026-11-16")])
    }

    @Test func longSpansAreAskedForAWeekAtATime() async throws {
        let scene = CollectionScene(now: later)
        _ = try await scene.collector().collect(.backfill, day("2026-11-02")...day("2026-11-16"))
        #expect(
            scene.source.asked == [
                day("2026-11-01")...day("2026-11-07"), day("2026-11-08")...day("2026-11-14"),
                day("2026-11-15")...day("2026-11-16"),
            ])
    }
}
