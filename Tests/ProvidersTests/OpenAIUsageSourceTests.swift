import EventLog
import FinOps
import JSON
import Testing
import Transfer

@testable import Providers

@Suite struct OpenAIUsageSourceTests {
    private let day = Pages.day...Pages.day

    private func observe(_ organisation: ScriptedOrganisation) async throws -> UsageObservation {
        try await organisation.source().usage(of: day, at: Pages.later).observation
    }

    @Test func allTenKindsAreAskedByTheHourAndGroupedButNeverByUser() async throws {
        let organisation = ScriptedOrganisation { Pages.page(Pages.hours($0.span)) }
        let seen = try await observe(organisation)
        #expect(seen.covered.count == 240)
        #expect(organisation.asked.count == 10)
        #expect(organisation.asked.allSatisfy { $0.value("bucket_width") == "1h" && $0.value("limit") == "24" })
        #expect(organisation.asked.allSatisfy { $0.path.hasPrefix("/v1/organization/usage/") })
        #expect(
            organisation.asked[0].values("group_by") == ["project_id", "api_key_id", "model", "batch", "service_tier"])
        #expect(!organisation.asked.contains { $0.values("group_by").contains("user_id") })
    }

    @Test func bracketsAreWrittenWhereConfigured() async throws {
        let organisation = ScriptedOrganisation { Pages.page(Pages.hours($0.span)) }
        _ = try await organisation.source(.brackets).usage(of: day, at: Pages.later)
        #expect(organisation.asked[0].values("group_by[]").count == 5)
        #expect(organisation.asked[0].values("group_by").isEmpty)
    }

    @Test func pagesAreWalkedToTheirEnd() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { _ in [Pages.row()] }
            switch asked.page {
            case nil: return Pages.page(Array(hours[..<10]), next: "p2")
            case "p2": return Pages.page(Array(hours[10..<20]), next: "p3")
            default: return Pages.page(Array(hours[20...]))
            }
        }
        let seen = try await observe(organisation)
        #expect(seen.rows.count == 24)
        #expect(organisation.asked.filter { $0.path.hasSuffix("completions") }.count == 3)
    }

    @Test func theRunningHourIsTheLastOneAskedFor() async throws {
        let organisation = ScriptedOrganisation { Pages.page(Pages.hours($0.span)) }
        let now = Pages.midnight + 5 * 3_600 + 1_234
        _ = try await organisation.source().usage(of: day, at: Timestamp(seconds: now))
        #expect(organisation.asked[0].span == Pages.midnight..<now)
        #expect(organisation.asked[0].value("limit") == "6")
        #expect(organisation.asked.count == 10)
        let before = try await organisation.source().usage(of: day, at: Timestamp(seconds: Pages.midnight))
        #expect(before.observation.covered.isEmpty)
    }

    @Test func aBucketThatComesTwiceWithEqualContentCountsOnce() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { _ in [Pages.row("a"), Pages.row("b")] }
            let reversed = Pages.hours(asked.span) { _ in [Pages.row("b"), Pages.row("a")] }
            return asked.page == nil
                ? Pages.page(Array(hours[..<20]), next: "p2") : Pages.page(Array(reversed[10...]))
        }
        #expect(try await observe(organisation).rows.count == 48)
    }

    @Test func aBucketThatChangesInsideTheWalkRestartsIt() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let settled = asked.before > 1
            let hours = Pages.hours(asked.span) { _ in [Pages.row(input: settled ? 200 : 100 + asked.before)] }
            return asked.page == nil ? Pages.page(Array(hours[..<20]), next: "p2") : Pages.page(Array(hours[10...]))
        }
        let seen = try await observe(organisation)
        #expect(seen.rows.map(\.quantities.inputTokens) == Array(repeating: 200, count: 24))
    }

    @Test func aServerThatNeverSettlesIsGivenUpAsPassing() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { _ in [Pages.row(input: 100 + asked.before)] }
            return asked.page == nil ? Pages.page(Array(hours[..<20]), next: "p2") : Pages.page(Array(hours[10...]))
        }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.kind == .malformedAnswer)
        #expect(failure?.isRetriable == true)
        #expect(organisation.asked.count == 6)
    }

    @Test(arguments: ["p1", nil]) func pagesInACircleOrWithoutAWayOnEndTheRun(_ next: String?) async throws {
        let organisation = Pages.onlyCompletions { asked in
            Pages.page(Pages.hours(asked.span), next: next, hasMore: true)
        }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.isRetriable == true)
        #expect(organisation.asked.count <= 6)
    }

    @Test func missingBucketsAreAskedForOnceAloneAndThenTakenAsEmpty() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { _ in [Pages.row()] }
            if asked.span.upperBound - asked.span.lowerBound == 86_400 {
                return Pages.page(hours.enumerated().filter { ![3, 4, 9].contains($0.offset) }.map(\.element))
            }
            return asked.span.lowerBound == Pages.midnight + 3 * 3_600 ? Pages.page(hours) : Pages.page([])
        }
        let seen = try await observe(organisation)
        let asked = organisation.asked.filter { $0.path.hasSuffix("completions") }.map(\.span)
        #expect(
            asked.dropFirst() == [
                Pages.midnight + 3 * 3_600..<Pages.midnight + 5 * 3_600,
                Pages.midnight + 9 * 3_600..<Pages.midnight + 10 * 3_600,
            ])
        #expect(seen.rows.count == 23)
    }

    @Test func aRowThatMakesNoSenseSpoilsItsDayAlone() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { start in
                [Pages.row(), Pages.row(input: start == Pages.midnight + 90_000 ? -1 : 100)]
            }
            return asked.page == nil ? Pages.page(Array(hours[..<30]), next: "p2") : Pages.page(Array(hours[30...]))
        }
        let days = Pages.day...Pages.day.advanced(by: 2)
        let answer = try await organisation.source().usage(of: days, at: Pages.later)
        #expect(Array(answer.rejected.keys) == [Pages.day.advanced(by: 1)])
        #expect(
            answer.rejected.values.map(\.message) == [
                "/organization/usage/completions, bucket 2026-11-02 01:00Z, row 2: input_tokens is negative"
            ])
        #expect(answer.observation.rows.count { $0.bucketStart < Pages.midnight + 86_400 } == 48)
        // It is not asked for again as if it were missing.
        #expect(organisation.asked.filter { $0.path.hasSuffix("completions") }.count == 2)
    }

    @Test func aBillWithoutACurrencySpoilsItsDayAlone() async throws {
        let organisation = ScriptedOrganisation { asked in
            let days = stride(from: asked.span.lowerBound, to: asked.span.upperBound, by: 86_400).map { start in
                let amount: JSONValue = start == Pages.midnight ? ["value": 1] : ["value": 1, "currency": "usd"]
                return Pages.bucket(start, width: 86_400, [["amount": amount, "project_id": "proj_1"]])
            }
            return Pages.page(days)
        }
        let days = Pages.day...Pages.day.advanced(by: 1)
        let answer = try #require(try await organisation.source().bills(of: days, at: Pages.later))
        #expect(Array(answer.rejected.keys) == [Pages.day])
        #expect(answer.rejected.values.first?.message.contains("row 1: amount.currency is no currency") == true)
        #expect(answer.observation.rows.map(\.bucketStart) == [Pages.midnight + 86_400])
    }

    @Test func manyHolesAreOneQuestion() async throws {
        let organisation = Pages.onlyCompletions { asked in
            let hours = Pages.hours(asked.span) { _ in [Pages.row()] }
            return Pages.page(hours.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element))
        }
        _ = try await observe(organisation)
        #expect(organisation.asked.filter { $0.path.hasSuffix("completions") }.count == 2)
    }

    @Test func bucketsThatNobodyAskedForAreLeftOutAndNoted() async throws {
        let organisation = Pages.onlyCompletions { asked in
            Pages.page(Pages.hours(asked.span) + [Pages.bucket(Pages.midnight - 3_600, [Pages.row()])])
        }
        let answer = try await organisation.source().usage(of: day, at: Pages.later)
        #expect(answer.observation.rows.isEmpty)
        #expect(answer.notes.count == 1)
    }

    /// The last bucket that begins in 64 bits would end beyond them.
    @Test func aBucketAtTheEndOfTimeIsMalformedAndDoesNotTrap() async throws {
        let last = Int64.max - Int64.max % 3_600
        let organisation = Pages.onlyCompletions { _ in
            Pages.page([Pages.bucket(last, width: Int64.max - last, [Pages.row()])])
        }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.kind == .malformedAnswer)
    }

    @Test func bucketsOfAnotherWidthAreMalformed() async throws {
        let organisation = Pages.onlyCompletions { _ in
            Pages.page([Pages.bucket(Pages.midnight, width: 86_400, [Pages.row()])])
        }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.kind == .malformedAnswer)
    }

    @Test func anAnswerWithoutTheGroupsThatWereAskedForNamesTheRemedy() async throws {
        let ungrouped = try Fixture.results("usage-completions-ungrouped.json")
        let organisation = Pages.onlyCompletions { asked in Pages.page(Pages.hours(asked.span) { _ in ungrouped }) }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.kind == .misconfigured)
        #expect(failure?.message.contains("--list-style brackets") == true)
    }

    @Test func aKindTheServerDoesNotKnowIsANoteAndNotAStatement() async throws {
        let organisation = ScriptedOrganisation { asked in
            asked.path.hasSuffix("web_search_calls") ? HTTPResponse(status: 404) : Pages.page(Pages.hours(asked.span))
        }
        let answer = try await organisation.source().usage(of: day, at: Pages.later)
        let kinds = Set(answer.observation.covered.map(\.kind))
        #expect(!kinds.contains("web_search_calls"))
        #expect(kinds.count == 9)
        #expect(answer.notes.count == 1)
    }

    @Test func withoutCompletionsThereIsNoStatement() async throws {
        let organisation = Pages.onlyCompletions { _ in HTTPResponse(status: 404) }
        let failure = await #expect(throws: SourceFailure.self) { try await observe(organisation) }
        #expect(failure?.kind == .notFound)
    }

    @Test func anAnswerTooLargeIsAskedForInSmallerPages() async throws {
        let organisation = Pages.onlyCompletions { asked throws(TransferFailure) in
            guard asked.value("limit") == "1" else { throw TransferFailure(.tooLarge, message: "large") }
            let from = asked.page.flatMap { Int64($0) } ?? asked.span.lowerBound
            let next = from + 3_600
            return Pages.page([Pages.bucket(from, [Pages.row()])], next: next < asked.span.upperBound ? "\(next)" : nil)
        }
        #expect(try await observe(organisation).rows.count == 24)
    }

    @Test func costsAreAskedByTheDay() async throws {
        let results = try Fixture.results("costs-live-strings.json")
        let organisation = ScriptedOrganisation { asked in
            Pages.page([Pages.bucket(asked.span.lowerBound, width: 86_400, results)])
        }
        let bills = try #require(try await organisation.source().bills(of: day, at: Pages.later))
        #expect(bills.observation.rows.count == 3)
        #expect(organisation.asked[0].path == "/v1/organization/costs")
        #expect(organisation.asked[0].values("group_by") == ["project_id", "line_item", "api_key_id"])
    }

    @Test func costsThatAreAwayAreRetriedAndThenPassing() async throws {
        let organisation = ScriptedOrganisation { _ in HTTPResponse(status: 404) }
        let failure = await #expect(throws: SourceFailure.self) {
            try await organisation.source().bills(of: day, at: Pages.later)
        }
        #expect(failure?.kind == .unavailable)
        #expect(failure?.isRetriable == true)
        #expect(organisation.asked.count == 4)
    }

    @Test func aBodyThatIsNoJSONIsAskedForAgain() async throws {
        let organisation = Pages.onlyCompletions { asked in
            asked.before == 0
                ? HTTPResponse(status: 200, body: Array("{\"data\":[".utf8)) : Pages.page(Pages.hours(asked.span))
        }
        #expect(try await observe(organisation).covered.count == 240)
    }
}
