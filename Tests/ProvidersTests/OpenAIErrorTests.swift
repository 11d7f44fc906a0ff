import EventLog
import FinOps
import JSON
import Secret
import Testing
import Transfer

@testable import Providers

@Suite struct OpenAIErrorTests {
    private let secret = Secret(Array("sk-admin-PlantedSecretValue0001".utf8))

    private func failure(_ status: Int, _ body: [UInt8], _ question: OpenAIQuestion = .usage(.completions)) throws
        -> SourceFailure
    {
        switch question.judge(HTTPResponse(status: status, body: body), secret: secret) {
        case .accept: throw SourceFailure(.refused, "accepted")
        case .retry(let failure), .refuse(let failure): return failure
        }
    }

    @Test(arguments: [
        (401, "error-401-invalid-admin-key.json", SourceFailure.Kind.notAuthorised, "Incorrect API key"),
        (401, "error-403-missing-scope-object.json", .notAuthorised, "Missing scopes: api.usage.read"),
        (403, "error-403-missing-scope-string.json", .notAuthorised, "Missing scopes: api.usage.read"),
        (404, "error-404-project.json", .notFound, "proj_EXAMPLEnone was not found"),
        (429, "error-429-admin.json", .throttled, "Rate limit reached"),
        (500, "error-500.json", .unavailable, "The server had an error"),
        (400, "error-400-bad-parameter.json", .refused, "Invalid type"),
    ])
    func everyFormOfErrorIsRead(_ status: Int, _ file: String, _ kind: SourceFailure.Kind, _ words: String) throws {
        let failure = try failure(status, try Fixture.bytes(file))
        #expect(failure.kind == kind)
        #expect(failure.message.contains(words))
        #expect(failure.message.contains("status \(status)"))
    }

    @Test(arguments: [
        "<html><body>502 Bad Gateway</body></html>", "", "[1,2]", "{\"error\":null}", "{\"error\":{\"code\":7}}",
    ])
    func anErrorWithoutWordsSaysItsStatus(_ body: String) throws {
        let failure = try failure(502, Array(body.utf8))
        #expect(failure.kind == .unavailable)
        #expect(failure.message.hasSuffix("status 502"))
    }

    @Test func aWishToComeBackInAThousandYearsIsAFailureInWords() throws {
        let wish = HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", "99999999999999999999")])
        let seconds = try #require(RetryAfter.seconds(in: wish, now: 0))
        let failure = OpenAIQuestion.failure(.throttled(retryAfterSeconds: seconds))
        #expect(failure.kind == .throttled && failure.isRetriable)
        #expect(failure.message == "OpenAI asks to come back in 10000000 seconds")
    }

    @Test func aServerThatRepeatsTheSecretDoesNotGetItIntoTheError() throws {
        let body =
            "{\"error\":\"key sk-admin-PlantedSecretValue0001\\nis\\u0007 bad\(String(repeating: "!", count: 400))\"}"
        let message = try failure(401, Array(body.utf8)).message
        #expect(!message.contains("Planted"))
        #expect(message.contains("key sk-admin-…0001 is  bad"))
        #expect(message.count < 400)
    }

    @Test(arguments: [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"), ("http://proxy/openai/v1", "http://proxy/openai/v1"),
    ])
    func aBaseAddressIsWhatStandsBeforeOrganization(_ given: String, _ base: String) throws {
        #expect(try OpenAIEndpoint(base: given).base == base)
    }

    @Test(arguments: [
        "api.openai.com", "ftp://x", "https://", "https://u@x", "https://x?a=1", "https://x#a", "https://x y",
    ])
    func anAddressThatCannotBeABaseIsRefused(_ given: String) {
        #expect(throws: SourceFailure.self) { try OpenAIEndpoint(base: given) }
    }

    @Test func queriesAreEscaped() throws {
        let url = try OpenAIEndpoint(base: "https://x", listStyle: .brackets).url(
            "/p", [("page", "a=b&c/+ é")], lists: [("group_by", ["model"])])
        #expect(url == "https://x/v1/p?page=a%3Db%26c%2F%2B%20%C3%A9&group_by%5B%5D=model")
    }
}

@Suite struct OpenAICheckTests {
    private func findings(
        legacy: Bool = false, _ rule: @escaping ScriptedOrganisation.Rule
    ) async throws -> [CheckFinding] {
        let check = OpenAICheck(
            endpoint: try OpenAIEndpoint(base: "https://api.test"), legacy: legacy,
            secret: Secret(Array("sk-admin-PlantedSecretValue0001".utf8)), transport: ScriptedOrganisation(rule))
        return await check.run(now: 784_111_777)
    }

    @Test func aGoodKeyPassesBothQuestions() async throws {
        let findings = try await findings { _ in
            HTTPResponse(
                status: 200, headers: [HTTPHeader("Date", "Sun, 06 Nov 1994 08:49:37 GMT")],
                body: Array("{\"data\":[]}".utf8))
        }
        #expect(findings.map(\.subject) == ["usage", "costs"])
        #expect(findings.allSatisfy { $0.ok })
    }

    @Test func aMissingScopeIsNamedWithItsRemedy() async throws {
        let body = try Fixture.bytes("error-403-missing-scope-string.json")
        let findings = try await findings { _ in HTTPResponse(status: 403, body: body) }
        #expect(findings.first?.failure?.kind == .notAuthorised)
        #expect(findings.first?.remedy.contains("api.usage.read") == true)
    }

    @Test func aWrongClockIsNamed() async throws {
        let findings = try await findings { _ in
            HTTPResponse(
                status: 200, headers: [HTTPHeader("Date", "Sun, 06 Nov 1994 09:49:37 GMT")],
                body: Array("{\"data\":[]}".utf8))
        }
        let clock = try #require(findings.first { $0.subject == "clock" })
        #expect(clock.detail.contains("3600 seconds behind"))
    }

    @Test(arguments: [TransferFailure.Kind.cannotResolve, .cannotConnect, .timedOut, .tlsFailed])
    func withoutAConnectionTheFirstQuestionSaysWhy(_ kind: TransferFailure.Kind) async throws {
        let findings = try await findings { _ throws(TransferFailure) in throw TransferFailure(kind, message: "no") }
        #expect(findings.count == 1)
        #expect(findings.first?.failure?.kind == .unreachable)
        #expect(findings.first?.remedy.isEmpty == false)
    }

    @Test func aLegacyAccountIsAskedItsOwnQuestion() async throws {
        let day = try Fixture.bytes("legacy-usage-empty-day.json")
        let findings = try await findings(legacy: true) { asked in
            HTTPResponse(status: asked.path == "/v1/usage" ? 200 : 500, body: day)
        }
        #expect(findings.map(\.ok) == [true])
    }
}

@Suite struct OpenAILegacyTests {
    private let secret = Secret(Array("sk-planted-secret-0001".utf8))

    private func source(_ organisation: ScriptedOrganisation) throws -> OpenAILegacySource {
        OpenAILegacySource(
            account: "acme", endpoint: try OpenAIEndpoint(base: "https://api.test"), secret: secret,
            transport: organisation.patient)
    }

    @Test func aDayIsPutIntoHoursAndKinds() async throws {
        let (full, empty) = (
            try Fixture.bytes("legacy-usage-day.json"), try Fixture.bytes("legacy-usage-empty-day.json")
        )
        let organisation = ScriptedOrganisation { asked in
            HTTPResponse(status: 200, body: asked.value("date") == "2026-11-01" ? full : empty)
        }
        let answer = try await source(organisation).usage(
            of: Pages.day...Pages.day.advanced(by: 3), at: Timestamp(seconds: Pages.midnight + 2 * 86_400))
        let statement = answer.observation
        #expect(organisation.asked.map { $0.value("date") } == ["2026-11-01", "2026-11-02"])
        #expect(statement.rows.count == 5)
        let completion = try #require(statement.rows.first { $0.kind == "completions" })
        #expect(completion.bucketStart == 1_793_538_300 - 1_793_538_300 % 3_600)
        #expect(completion.model == "gpt-4o-mini-2024-07-18")
        #expect(completion.quantities.outputTokens == 340)
        #expect(statement.rows.first { $0.kind == "images" }?.source == "image.generation")
        #expect(statement.rows.first { $0.kind == "audio_speeches" }?.quantities.characters == 1_200)
        #expect(statement.covered.contains(UsageBucket(kind: "moderations", start: Pages.midnight + 3_600)))
        #expect(try await source(organisation).bills(of: Pages.day...Pages.day, at: Pages.later)?.observation == nil)
    }

    @Test func aRowOfAnotherDayIsMalformed() throws {
        let answer = try Fixture.json("legacy-usage-day.json")
        let failure = #expect(throws: SourceFailure.self) {
            try OpenAILegacyDay(account: "acme", day: Pages.day.advanced(by: 1)).read(answer)
        }
        #expect(failure?.message.contains("data, row 1: aggregation_timestamp") == true)
    }

    @Test func aDayThatMakesNoSenseSpoilsNoOther() async throws {
        let full = try Fixture.bytes("legacy-usage-day.json")
        // Of the second day it repeats the first one's rows.
        let organisation = ScriptedOrganisation { _ in HTTPResponse(status: 200, body: full) }
        let answer = try await source(organisation).usage(
            of: Pages.day...Pages.day.advanced(by: 1), at: Pages.later)
        #expect(Array(answer.rejected.keys) == [Pages.day.advanced(by: 1)])
        #expect(answer.observation.rows.count == 5)
    }

    @Test func listsNobodyHasDescribedAreNamed() throws {
        let answer: JSONValue = ["data": [], "ft_data": [[:], [:]]]
        let statement = try OpenAILegacyDay(account: "acme", day: Pages.day).read(answer)
        #expect(statement.notes == ["/usage?date=2026-11-01: 2 rows of ft_data not collected"])
    }

    @Test func anOperationNobodyHasDescribedKeepsItsName() throws {
        let row: JSONValue = [
            "aggregation_timestamp": .integer(Pages.midnight), "operation": "telepathy", "n_context_tokens_total": 1,
            "n_generated_tokens_total": 1,
        ]
        let statement = try OpenAILegacyDay(account: "acme", day: Pages.day).read(["data": [row]])
        #expect(statement.rows.map(\.kind) == ["legacy-telepathy"])
    }
}
