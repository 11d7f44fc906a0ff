import EventLog
import FinOps
import Foundation
import JSON
import Glibc
import Runtime
import Storage
import SwiftProtobuf
import TestSupport
import Testing

/// What a key is for, and how much of it in a minute: held before anything is sent, and told to the caller so that it knows
/// what to do and whom to ask.
@Suite(.serialized) struct GatewayKeyTests {
    private static let contact = "Kim Lee in FinOps"

    /// Every call costs 9 × 2,500 + 300 × 10,000 nano-dollars and 309 tokens.
    private func with(
        _ configuration: [String] = [], atNoon: Bool = false,
        _ body: (GatewayScene, ProviderStandIn) async throws -> Void
    ) async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 300)) }
        try await GatewayScene.with(
            upstreams: [["openai", "--name", "main", "--base-url", provider.url]],
            configuration: ["gateway_contact: \(Self.contact)"] + configuration, atNoon: atNoon
        ) { try await body($0, provider) }
    }

    @Test func aKeyIsForItsModelsAndRoutesAlone() async throws {
        try await with { scene, provider in
            let models = try await scene.key("chatbot", "--models", "gpt-4o-mini*,o3").text
            let routes = try await scene.key("chatbot", "--routes", "/v1/embeddings").text
            // The last one: a gateway that knows it knows the others.
            let open = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(open)
            let before = provider.requests.count

            let otherModel = try #require(await gateway.post(key: models))
            #expect(otherModel.status == 403 && otherModel.field("x-should-retry") == "false")
            try expect(otherModel, "model_not_found", names: ["gpt-4o-2024-08-06", "chatbot", Self.contact])
            let otherRoute = try #require(await gateway.post(key: routes))
            #expect(otherRoute.status == 403 && otherRoute.field("x-should-retry") == "false")
            try expect(otherRoute, "permission_denied", names: ["/v1/chat/completions", "chatbot", Self.contact])
            #expect(provider.requests.count == before, "a refused call was sent on")

            let mini = SceneCall.chat.replacingOccurrences(of: "gpt-4o-2024-08-06", with: "gpt-4o-mini")
            #expect(await gateway.post(key: models, mini)?.status == 200)
            let embedding = #"{"model":"text-embedding-3-small","input":"a"}"#
            #expect(await gateway.post("/v1/embeddings", key: routes, embedding)?.status == 200)
            #expect(try await scene.installation.recordedCalls(atLeast: 3).count == 3)
            #expect(provider.requests.count == before + 2)
            await scene.end(gateway.program)
        }
    }

    /// What it is proof of must not end with the program that saw it.
    @Test func theLastCallOfAKeyIsKnownAfterAKill() async throws {
        try await with { scene, _ in
            let (id, key) = try await scene.key()
            let first = try await scene.gateway()
            _ = try await first.firstAnswer(key)
            let last = try #require(await first.post(key: key)?.field("x-finops-call"))
            first.program.send(SIGKILL)
            _ = await first.program.wait()
            let second = try await scene.gateway()
            try await scene.installation.run("finops", "key", "disable", id, "--reason", "leaked").expecting()
            try await eventually("it is refused") { await second.post(key: key)?.status == 403 }
            let log = SQLiteEventReader(
                files: LogFiles(database: StateDirectory(path: scene.installation.directory).logDatabase))
            var proof: WireKeyDisablementEnforced?
            try await eventually("it has acknowledged") {
                let page = try await log.read(after: .start, limit: 1, types: ["key.disablement-enforced"])
                proof = try page.events.first.map { try WireKeyDisablementEnforced(serializedBytes: $0.event.payload) }
                return proof != nil
            }
            #expect(proof?.lastCall == last && proof?.hasLastAccepted == true)
            await scene.end(second.program)
        }
    }

    /// In a zone whose day ends on another date of UTC.
    @Test func aKeyIsAcceptedToTheLastSecondOfItsLastDay() async throws {
        try await with(["zone: America/New_York"]) { scene, provider in
            let last = Day(utc: wallTime()).advanced(by: 30)
            let midnight = try #require(BusinessCalendar("America/New_York")).start(of: last.advanced(by: 1))
            let key = try await scene.key("chatbot", "--expires", "\(last)").text
            func stopClock(at now: Timestamp) throws {
                try PipelineClock(scale: .init(start: now, rate: 1, anchor: now, frozen: now))
                    .store(in: StateDirectory(path: scene.installation.directory))
            }
            try stopClock(at: midnight.advanced(bySeconds: -1))
            let before = try await scene.gateway()
            _ = try await before.firstAnswer(key)
            await scene.end(before.program)
            let calls = provider.requests.count

            try stopClock(at: midnight)
            let after = try await scene.gateway()
            var refused: HTTPAnswer?
            try await eventually("it is refused, not \(String(describing: refused))") {
                refused = await after.post(key: key)
                return refused?.body.contains("expired") == true
            }
            let answer = try #require(refused)
            #expect(answer.status == 401)
            try expect(answer, "invalid_api_key", names: ["\(last)", "chatbot", Self.contact])
            #expect(provider.requests.count == calls, "a refused call was sent on")
            await scene.end(after.program)
        }
    }

    @Test func aReplacedValueHasItsGraceAndAKeyThatIsGivenBackWorksAgain() async throws {
        try await with { scene, _ in
            let (id, first) = try await scene.key()
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(first)
            func finops(_ words: String...) async throws -> ProgramResult {
                try await scene.installation.run("finops", arguments: words).expecting()
            }
            func rotated(_ grace: String) async throws -> String {
                try await finops("key", "rotate", id, "--grace", grace, "--json").json()["key"]?.string ?? "none"
            }
            let second = try await rotated("24h")
            _ = try await gateway.firstAnswer(second)
            #expect(await gateway.post(key: first)?.status == 200, "it has its grace")
            let third = try await rotated("0s")
            _ = try await gateway.firstAnswer(third)
            #expect(await gateway.post(key: second)?.status == 401)
            let fourth = try await rotated("1s")
            try await eventually("the grace ends") { await gateway.post(key: third)?.status == 401 }
            #expect(await gateway.post(key: fourth)?.status == 200)

            _ = try await finops("key", "disable", id, "--reason", "loop")
            try await eventually("it is refused") { await gateway.post(key: fourth)?.status == 403 }
            _ = try await finops("key", "reactivate", "request", id, "--reason", "mended")
            let lee = try await finops("person", "add", "Lee", "--administrator", "--json").json()
            let token = scene.installation.root.appending(path: "token").path
            try (lee["token"]?.string ?? "").write(toFile: token, atomically: true, encoding: .utf8)
            let person = try #require(lee["id"]?.string)
            #expect(await gateway.post(key: fourth)?.status == 403, "nobody has approved it")
            _ = try await finops("key", "reactivate", "approve", id, "--as", person, "--token-file", token)
            _ = try await gateway.firstAnswer(fourth)
            await scene.end(gateway.program)
        }
    }

    /// What a refused call had set aside of the project's limit is free again at once: sixty of them would be twice the limit.
    @Test func aKeysRatesHoldAndTakeNothingFromTheLimit() async throws {
        try await with(atNoon: true) { scene, provider in
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.10", "--policy", "block"
            ).expecting()
            let slow = try await scene.key("chatbot", "--requests-per-minute", "2").text
            let small = try await scene.key("chatbot", "--tokens-per-minute", "500").text
            let open = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(open)

            let requests = try await expectLimited(
                gateway, slow, calls: 60, "requests", "2 requests per minute", 1...30)
            // Half a minute's rest is another request.
            #expect(requests.accepted >= 2 && requests.accepted <= 2 + requests.seconds / 30)
            // The first call sets most of the tokens aside, and uses 309 of them.
            let tokens = try await expectLimited(gateway, small, calls: 5, "tokens", "500 tokens per minute", 1...60)
            #expect(tokens.accepted >= 1)

            #expect(await gateway.post(key: open)?.status == 200)
            let admitted = 2 + requests.accepted + tokens.accepted
            #expect(try await scene.installation.recordedCalls(atLeast: admitted).count == admitted)
            #expect(provider.requests.count == admitted, "a refused call was sent on")
            await scene.end(gateway.program)
        }
    }

    /// All at once; those that are refused say by what, and when to come back.
    private func expectLimited(
        _ gateway: SceneGateway, _ key: String, calls: Int, _ type: String, _ words: String, _ wait: ClosedRange<Int>
    ) async throws -> (accepted: Int, seconds: Int) {
        let call = ParallelCalls.Call(ports: [gateway.port], request: SceneCall.post(key: key, SceneCall.chat))
        let began = ContinuousClock.now
        let answers = await ParallelCalls.run(Array(repeating: call, count: calls)).compactMap { $0 }
        let seconds = Int((ContinuousClock.now - began).components.seconds) + 1
        #expect(answers.count == calls)
        let refused = answers.filter { $0.status != 200 }
        #expect(!refused.isEmpty)
        for answer in refused {
            #expect(answer.status == 429)
            let error = try expect(answer, "rate_limit_exceeded", names: [words, "chatbot", Self.contact])
            #expect(error["type"]?.string == type)
            #expect(wait.contains(answer.field("retry-after").flatMap { Int($0) } ?? 0))
            #expect(answer.field("x-should-retry") == nil)
        }
        return (calls - refused.count, seconds)
    }

    @discardableResult
    private func expect(_ answer: HTTPAnswer, _ code: String, names: [String]) throws -> JSONValue {
        let error = try #require(try JSONValue.parse(answer.body)["error"])
        #expect(error["code"]?.string == code, "\(answer.body)")
        for name in names { #expect(error["message"]?.string?.contains(name) == true, "\(answer.body)") }
        return error
    }
}
