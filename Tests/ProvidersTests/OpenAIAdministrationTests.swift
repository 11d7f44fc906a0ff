import FinOps
import Foundation
import Secret
import Synchronization
import Testing
import Transfer

@testable import Providers

/// Each call of the administration interface: what goes over the wire stands in `Fixtures/administration`, what comes back
/// in `Fixtures/openai`.
@Suite struct OpenAIAdministrationTests {
    private static let key = "sk-admin-PlantedSecretValue0001"
    private static let project = "proj_EXAMPLEalpha"

    private func bench(_ answers: Answers) throws -> OpenAIAdministration {
        let waiting = Waiting(pause: { _ in }, pace: { _ in }, monotonic: { 0 }, now: { 0 }, random: { 0.5 })
        return OpenAIAdministration(
            endpoint: try OpenAIEndpoint(base: "https://api.test"), secret: Secret(Array(Self.key.utf8)),
            transport: PatientTransport(answers, waiting: waiting))
    }

    /// One call that gets these answers: everything it sent must be what the golden files say.
    private func call<Value>(
        _ golden: String..., answered files: String..., by body: (OpenAIAdministration) async throws -> Value
    ) async throws -> Value {
        let answers = Answers(try files.map { HTTPResponse(status: 200, body: try Fixture.bytes($0)) })
        let value = try await body(try bench(answers))
        #expect(answers.sent.map(\.text) == (try golden.map(Self.golden)))
        return value
    }

    private static func golden(_ name: String) throws -> String {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/administration/\(name)", withExtension: "http"))
        return try String(contentsOf: url, encoding: .utf8)
    }

    @Test func projectsAreFoundByNameOverAllPages() async throws {
        let found = try await call(
            "list-projects", "list-projects-next", answered: "projects-list-page1.json", "projects-list-page2.json"
        ) { try await $0.projects(named: "beta") }
        #expect(found == [ProviderProject(id: "proj_EXAMPLEbeta", name: "beta", created: 1_768_467_600)])
    }

    @Test func aProjectIsMadeAndArchived() async throws {
        let made = try await call("create-project", answered: "project-created.json") {
            try await $0.createProject(named: "Team new")
        }
        #expect(made == ProviderProject(id: "proj_EXAMPLEnew", name: "Team new", created: 1_768_467_600))
        let isArchived = try await call("archive-project", answered: "project-archived.json") {
            try await $0.archiveProject("proj_EXAMPLEnew")
        }
        #expect(isArchived)
    }

    @Test func aServiceAccountComesWithItsKeyAndGoes() async throws {
        let made = try await call("create-service-account", answered: "service-account-created.json") {
            try await $0.createServiceAccount(named: "checkout-prod", in: Self.project)
        }
        #expect(made.id == "svc_acct_EXAMPLE" && made.keyID == "key_EXAMPLEsvc")
        #expect(made.key.withUTF8 { String(decoding: $0, as: UTF8.self) } == "sk-svcacct-EXAMPLE")
        let all = try await call("list-service-accounts", answered: "service-accounts-list.json") {
            try await $0.serviceAccounts(of: Self.project)
        }
        #expect(all == [ProviderServiceAccount(id: "svc_acct_EXAMPLE", name: "checkout-prod")])
        let isDeleted = try await call("delete-service-account", answered: "service-account-deleted.json") {
            try await $0.deleteServiceAccount("svc_acct_EXAMPLE", of: Self.project)
        }
        #expect(isDeleted)
    }

    @Test func keysAreListedWithTheirOwnersAndDeleted() async throws {
        let keys = try await call("list-keys", answered: "project-api-keys-list.json") {
            try await $0.keys(of: Self.project)
        }
        #expect(keys.map(\.id) == ["key_EXAMPLEcheckout", "key_EXAMPLEsvc"])
        #expect(keys.map(\.serviceAccount) == [nil, "svc_acct_EXAMPLE"])
        let isDeleted = try await call("delete-key", answered: "project-api-key-deleted.json") {
            try await $0.deleteKey("key_EXAMPLEcheckout", of: Self.project)
        }
        #expect(isDeleted)
    }

    @Test func limitsAreReadAndSet() async throws {
        let cents = try await call("read-spend-limit", answered: "spend-limit.json") {
            try await $0.spendLimit(of: Self.project)
        }
        #expect(cents == 50_000)
        let isSet = try await call("set-spend-limit", answered: "spend-limit.json") {
            try await $0.setSpendLimit(cents: 1, of: Self.project)
        }
        #expect(isSet)
        let limits = try await call("list-rate-limits", answered: "rate-limits-list.json") {
            try await $0.rateLimits(of: Self.project)
        }
        #expect(limits.map(\.model) == ["gpt-4o-mini", "gpt-image-1"])
        #expect(
            limits.first
                == ProviderRateLimit(id: "rl-gpt-4o-mini", model: "gpt-4o-mini", requests: 600, tokens: 150_000))
        try await call("set-rate-limit", answered: "rate-limit-updated.json") {
            try await $0.setLeast(limits[0], of: Self.project)
        }
    }

    // MARK: What goes wrong

    @Test func whatIsGoneAlreadyIsNoFailure() async throws {
        func missing() throws -> OpenAIAdministration {
            try bench(Answers([HTTPResponse(status: 404, body: try Fixture.bytes("error-404-project.json"))]))
        }
        #expect(try await missing().deleteKey("key_1", of: "proj_1") == false)
        #expect(try await missing().deleteServiceAccount("svc_1", of: "proj_1") == false)
        #expect(try await missing().archiveProject("proj_1") == false)
        #expect(try await missing().setSpendLimit(cents: 1, of: "proj_1") == false)
        #expect(try await missing().spendLimit(of: "proj_1") == nil)
    }

    @Test(arguments: [
        (400, "error-400-archived-project.json", SourceFailure.Kind.refused, "Project is archived"),
        (400, "error-400-key-of-service-account.json", .refused, "please delete the service account"),
        (401, "error-401-invalid-admin-key.json", .notAuthorised, "Incorrect API key"),
        (403, "error-403-missing-scope-string.json", .notAuthorised, "Missing scopes"),
        (429, "error-429-admin.json", .throttled, "Rate limit reached"),
        (500, "error-500.json", .unavailable, "The server had an error"),
    ])
    func everyRefusalKeepsTheProvidersWords(
        _ status: Int, _ file: String, _ kind: SourceFailure.Kind, _ words: String
    ) async throws {
        let answers = Answers([HTTPResponse(status: status, body: try Fixture.bytes(file))])
        let bench = try self.bench(answers)
        let failure = try #require(
            await self.failure { () throws(SourceFailure) in
                _ = try await bench.deleteKey("key_1", of: "proj_1")
            })
        #expect(failure.kind == kind && failure.message.contains(words), "\(failure)")
        #expect(!failure.message.contains("Planted"))
    }

    private func failure(_ body: () async throws(SourceFailure) -> Void) async -> SourceFailure? {
        do throws(SourceFailure) {
            try await body()
            return nil
        } catch { return error }
    }

    /// The last answer is repeated for ever, so the number of requests is what patience allows.
    @Test func whatMakesSomethingIsSentOnceWhereItMayHaveBeenDone() async throws {
        let lost = TransferFailure(.timedOut, message: "no answer", requestWasSent: true)
        let unsent = TransferFailure(.cannotConnect, message: "nobody listens")
        let busy = HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", "1")])
        for (outcome, sent) in [
            (Result<HTTPResponse, TransferFailure>.failure(lost), 1), (.failure(unsent), 4),
            (.success(HTTPResponse(status: 503)), 1), (.success(busy), 4),
            (.success(HTTPResponse(status: 200, body: Array("{".utf8))), 1),
        ] {
            let answers = Answers(outcomes: [outcome])
            let bench = try self.bench(answers)
            let failure = await self.failure { () throws(SourceFailure) in _ = try await bench.createProject(named: "x")
            }
            #expect(failure?.leavesDoubt == true, "\(outcome)")
            #expect(answers.sent.count == sent, "\(outcome)")
        }
        let answers = Answers(outcomes: [.failure(lost)])
        let bench = try self.bench(answers)
        _ = await failure { () throws(SourceFailure) in _ = try await bench.deleteKey("key_1", of: "proj_1") }
        #expect(answers.sent.count == 4, "deleting again deletes nothing else")
    }

    @Test func anAccountWithoutAKeyIsAnAnswerThatMakesNoSense() async throws {
        let answers = Answers([
            HTTPResponse(status: 200, body: try Fixture.bytes("service-account-created-without-key.json"))
        ])
        let bench = try self.bench(answers)
        let failure = await self.failure { () throws(SourceFailure) in
            _ = try await bench.createServiceAccount(named: "x", in: "proj_1")
        }
        #expect(failure?.kind == .malformedAnswer)
    }

    @Test func aListThatRepeatsItsPageEnds() async throws {
        let page = HTTPResponse(status: 200, body: try Fixture.bytes("projects-list-page1.json"))
        let answers = Answers([page])
        _ = try await bench(answers).projects(named: "alpha")
        #expect(answers.sent.count == 2)
    }
}

/// Gives answers in turn, the last one for ever, and keeps what was sent.
private final class Answers: HTTPTransport {
    private let outcomes: [Result<HTTPResponse, TransferFailure>]
    private let record = Mutex<[HTTPRequest]>([])

    init(outcomes: [Result<HTTPResponse, TransferFailure>]) { self.outcomes = outcomes }
    convenience init(_ answers: [HTTPResponse]) { self.init(outcomes: answers.map { .success($0) }) }

    var sent: [HTTPRequest] { record.withLock(\.self) }

    func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse {
        let place = record.withLock { record in
            record.append(request)
            return record.count - 1
        }
        return try outcomes[min(place, outcomes.count - 1)].get()
    }
}

extension HTTPRequest {
    /// As the golden files have it.
    fileprivate var text: String {
        var lines = ["\(method) \(url)"] + headers.map { "\($0.name): \($0.value)" }
        if let authorization { lines.append("\(authorization.header): \(authorization.prefix)(the admin key)") }
        if let body { lines += ["", String(decoding: body, as: UTF8.self)] }
        return lines.joined(separator: "\n") + "\n"
    }
}
