import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import Spool
import Storage
import SwiftProtobuf
import TestSupport
import Testing

/// What the gateway does when it cannot do its work: as configured, and so that people hear of it.
@Suite(.serialized) struct GatewayPolicyTests {
    private static func provider() -> ProviderStandIn {
        ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
    }

    private static func upstream(_ provider: ProviderStandIn) -> [String] {
        ["openai", "--name", "main", "--base-url", provider.url]
    }

    // MARK: An upstream that is silent

    @Test func anUpstreamThatSaysNothingOrNoMoreIsGivenUp() async throws {
        let chunk =
            #"{"id":"1","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":"#
            + #"[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}"#
        let provider = ProviderStandIn { request in
            guard request.body.contains("\"stream\":true") else { return .nothing }
            return .text(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "\(String(chunk.utf8.count + 8, radix: 16))\r\ndata: \(chunk)\n\n\r\n")
        }
        try await GatewayScene.with(
            upstreams: [Self.upstream(provider)], configuration: ["gateway_upstream_timeout: 2s"]
        ) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            var silent: HTTPAnswer?
            try await eventually("its key is known") {
                silent = await gateway.post(key: key)
                return silent?.status != 401
            }
            #expect(silent?.status == 504 && silent?.body.contains("upstream_timeout") == true, "\(silent?.body ?? "")")
            let streaming = SceneCall.chat.replacingOccurrences(of: #"{"model""#, with: #"{"stream":true,"model""#)
            let client = try #require(StayingClient(port: gateway.port))
            defer { client.close() }
            try await client.sends(SceneCall.post(key: key, streaming))
            try await client.reads("word")
            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.count == 2 && calls.allSatisfy { $0.ended == "timed-out" && $0.cost.nanos > 0 })
            #expect(calls.allSatisfy { !$0.usageEstimated.isEmpty && $0.quantities.inputTokens > 0 })
            #expect(calls.map(\.status) == [0, 200] && calls.map(\.quantities.outputTokens) == [0, 1])
            // Half of the time is what a stream may be silent for.
            #expect(calls[0].duration >= 2_000_000 && calls[1].duration >= 1_000_000)
            await scene.end(gateway.program)
        }
    }

    // MARK: A log that is away

    @Test func aGatewayThatHasLostTheLogForLongerThanItsGraceRefusesUntilItIsBack() async throws {
        let provider = Self.provider()
        try await GatewayScene.with(
            upstreams: [Self.upstream(provider)], configuration: ["gateway_log_grace: 6s"]
        ) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            var delivered = [try await gateway.firstAnswer(key)]
            // At once: on the way to an end that it was asked for, the grace may pass.
            scene.log.send(SIGKILL)
            _ = await scene.log.wait()
            var refused: HTTPAnswer?
            try await eventually("the grace is over") {
                guard let answer = await gateway.post(key: key) else { return false }
                if answer.status == 200 { delivered.append(answer) } else { refused = answer }
                return refused != nil
            }
            #expect(refused?.status == 503 && refused?.body.contains("gateway_out_of_date") == true)
            #expect(delivered.count > 1, "it refused before its grace was over")
            try await eventually("it says so") { try gateway.readiness(scene).contains("gateway_log_grace") }
            let log = try await scene.installation.serveLog()
            defer { log.send(SIGKILL) }
            delivered.append(try await gateway.firstAnswer(key))
            let calls = try await scene.installation.recordedCalls(atLeast: delivered.count)
            #expect(Set(calls.map(\.upstreamRequest)) == Set(delivered.compactMap { $0.field("x-request-id") }))
            #expect(calls.count == delivered.count)
            await scene.end(gateway.program)
            await scene.end(log)
        }
    }

    @Test func aGatewayThatMayGoesOnWithoutTheLogHoweverLong() async throws {
        let provider = Self.provider()
        try await GatewayScene.with(
            upstreams: [Self.upstream(provider)],
            configuration: ["gateway_log_grace: 1s", "gateway_log_lost: fail-open"]
        ) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            var delivered = [try await gateway.firstAnswer(key)]
            scene.log.send(SIGKILL)
            _ = await scene.log.wait()
            try await eventually("it says so") { try gateway.readiness(scene).contains("gateway_log_lost: fail-open") }
            delivered.append(try #require(await gateway.post(key: key)))
            #expect(delivered[1].status == 200, "\(delivered[1].body)")
            let log = try await scene.installation.serveLog()
            defer { log.send(SIGKILL) }
            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.map(\.upstreamRequest) == delivered.map { $0.field("x-request-id") ?? "" })
            await scene.end(gateway.program)
            await scene.end(log)
        }
    }

    // MARK: Two gateways

    @Test func twoGatewaysShareALimitAndBothAcknowledgeADisablement() async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 300)) }
        try await GatewayScene.with(upstreams: [Self.upstream(provider)], atNoon: true) { scene in
            let key = try await scene.key()
            let gateways = [try await scene.gateway(), try await scene.gateway("gateway-2")]
            for gateway in gateways { _ = try await gateway.firstAnswer(key.text) }
            // A call is 9 × 2,500 + 300 × 10,000 nano-dollars; two were made.
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.05", "--policy", "block"
            ).expecting()
            var refusals: Set<String> = []
            try await eventually("both refuse", limit: .seconds(120)) {
                for gateway in gateways {
                    let answer = await gateway.post(key: key.text)
                    if answer?.status == 429 {
                        // Met, or set aside for the other one.
                        #expect(answer?.body.contains("roject chatbot") == true)
                        #expect(answer?.body.contains("limit of 0.05") == true)
                        refusals.insert(gateway.name)
                    }
                }
                return refusals.count == 2
            }
            try await expectHeld(scene)
            try await expectAcknowledged(scene, gateways, key)
            for gateway in gateways { await scene.end(gateway.program) }
            try await expectHeld(scene)
        }
    }

    @Test func twoGatewaysShareAKeysPace() async throws {
        let provider = Self.provider()
        try await GatewayScene.with(upstreams: [Self.upstream(provider)]) { scene in
            let open = try await scene.key().text
            let gateways = [try await scene.gateway(), try await scene.gateway("gateway-2")]
            for gateway in gateways { _ = try await gateway.firstAnswer(open) }
            let slow = try await scene.key("chatbot", "--requests-per-minute", "40").text
            let began = ContinuousClock.now
            // The second gateway is given its part by the first.
            for gateway in gateways + gateways { _ = try await gateway.firstAnswer(slow) }
            let calls = gateways.flatMap { gateway in
                let call = ParallelCalls.Call(ports: [gateway.port], request: SceneCall.post(key: slow, SceneCall.chat))
                return Array(repeating: call, count: 40)
            }
            let answers = await ParallelCalls.run(calls).compactMap { $0 }
            let seconds = Int((ContinuousClock.now - began).components.seconds) + 1
            let admitted = 4 + answers.count { $0.status == 200 }
            #expect(admitted >= 20 && admitted <= 42 + seconds * 40 / 60, "\(admitted) in \(seconds) s")
            let refusals = answers.filter { $0.status != 200 }
            #expect(
                refusals.allSatisfy {
                    $0.status == 429 && $0.body.contains("40 requests per minute, an equal part at each of 2 gateways")
                })
            #expect(provider.requests.count == 2 + admitted)
            // A new run of one does not begin with a whole minute.
            gateways[0].program.send(SIGKILL)
            _ = await gateways[0].program.wait()
            let next = try await scene.gateway()
            _ = try await next.firstAnswer(open)
            let again = await ParallelCalls.run(
                Array(
                    repeating: .init(ports: [next.port], request: SceneCall.post(key: slow, SceneCall.chat)), count: 20)
            ).compactMap { $0 }
            let all = Int((ContinuousClock.now - began).components.seconds) + 1
            let more = admitted + again.count { $0.status == 200 }
            #expect(more <= 42 + all * 40 / 60, "\(more) in \(all) s")
            await scene.end(next.program)
            await scene.end(gateways[1].program)
        }
    }

    private func expectHeld(_ scene: GatewayScene) async throws {
        let sum = try await scene.installation.recordedCalls().reduce(Int64(0)) { $0 + $1.cost.nanos }
        #expect(sum <= 50_000_000 + 300 * 20_000 && sum > 20_000_000, "\(sum)")
    }

    private func expectAcknowledged(
        _ scene: GatewayScene, _ gateways: [SceneGateway], _ key: (id: String, text: String)
    ) async throws {
        for isDrill in [true, false] {
            let disabled = try await scene.installation.run(
                "finops",
                arguments: ["key", "disable", key.id, "--reason", "it leaked", "--json"] + (isDrill ? ["--drill"] : [])
            ).expecting().json()
            let decision = try #require(disabled["decision"]?.integer.map { UInt64(clamping: $0) })
            var told: Set<String> = []
            try await eventually("both have acknowledged, not \(told)") {
                let log = SQLiteEventReader(
                    files: LogFiles(database: StateDirectory(path: scene.installation.directory).logDatabase))
                let page = try await log.read(
                    after: Position(decision), limit: 1_000, types: ["key.disablement-enforced"])
                for event in page.events {
                    let fact = try WireKeyDisablementEnforced(serializedBytes: event.event.payload)
                    // Each has let requests through before.
                    if fact.decision == decision, fact.hasLastAccepted, fact.drill == isDrill {
                        told.insert(fact.gateway)
                    }
                }
                return told == ["gateway", "gateway-2"]
            }
            for gateway in gateways {
                let answer = try #require(await gateway.post(key: key.text))
                // In a rehearsal the key goes on: the limit refuses it, unless the other gateway, which was idle, has
                // given back room for a call.
                #expect((isDrill ? [429, 200] : [403]).contains(answer.status), "\(answer.body)")
                #expect(answer.body.contains("is disabled: it leaked.") == !isDrill, "\(answer.body)")
            }
        }
    }

    /// Whoever fetches an answer that was made in the background, however often and through whichever gateway, pays once.
    @Test func anAnswerMadeInTheBackgroundCountsOnceAtAllGateways() async throws {
        let provider = ProviderStandIn { request in
            let isDone = request.method == "GET" && request.target.hasSuffix("/resp_7")
            let usage = isDone ? #"{"input_tokens":100,"output_tokens":10,"total_tokens":110}"# : "null"
            let status = isDone ? "completed" : "queued"
            return .text(
                answer(
                    "200 OK", headers: ["Content-Type: application/json", "x-request-id: req-\(request.number)"],
                    #"{"id":"resp_7","background":true,"status":"\#(status)","model":"gpt-4o","usage":\#(usage)}"#))
        }
        try await GatewayScene.with(upstreams: [Self.upstream(provider)]) { scene in
            let key = try await scene.key().text
            let gateways = [try await scene.gateway(), try await scene.gateway("gateway-2")]
            let begun = #"{"model":"gpt-4o","input":"a","background":true}"#
            for gateway in gateways {
                try await eventually("\(gateway.name) knows the key") {
                    await gateway.post("/v1/responses", key: key, begun)?.status == 200
                }
            }
            let fetch = "GET /v1/responses/resp_7 HTTP/1.1\r\nHost: g\r\nConnection: close\r\nAuthorization: Bearer "
            var fetched = 0
            for gateway in [gateways[0], gateways[0], gateways[1], gateways[1], gateways[0]] {
                #expect(await gateway.send(fetch + key + "\r\n\r\n")?.status == 200)
                fetched += 1
                // The others know it when it is in the log.
                let told = try await scene.installation.recordedCalls(atLeast: 2 + fetched)
                try await heard(scene, gateways, count: told.count)
            }
            let calls = try await scene.installation.recordedCalls()
            #expect(calls.count == 7 && calls.allSatisfy { $0.unpricedReason.isEmpty })
            #expect(calls.map(\.quantities.inputTokens).filter { $0 > 0 } == [100])
            #expect(calls.reduce(0) { $0 + $1.cost.nanos } == 100 * 2_500 + 10 * 10_000)
            for gateway in gateways { await scene.end(gateway.program) }
        }
    }

    /// A key that another version has disabled goes on here: whoever looks must see why.
    @Test func whatCannotBeReadOfTheLogIsToldOf() async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
        try await GatewayScene.with(upstreams: [Self.upstream(provider)]) { scene in
            let (id, key) = try await scene.key()
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            try await scene.installation.smuggle(Gatewayed.disabled(id), into: .key(id), schema: 9_999)
            try await eventually("it says so") {
                try gateway.readiness(scene).contains("events about keys, limits or calls cannot be read (1)")
            }
            await scene.end(gateway.program)
        }
    }

    /// The provider charges for an answer whether or not anybody fetches it.
    @Test func answersThatAreMadeInTheBackgroundAreHeldToTheLimit() async throws {
        let provider = ProviderStandIn { request in
            let isDone = request.method == "GET"
            let id = isDone ? request.target.split(separator: "/").last.map(String.init) : "resp_\(request.number)"
            let usage = isDone ? #"{"input_tokens":10,"output_tokens":1,"total_tokens":11}"# : "null"
            return .text(
                answer(
                    "200 OK", headers: ["Content-Type: application/json"],
                    #"{"id":"\#(id ?? "")","background":true,"status":"\#(isDone ? "completed" : "queued")","#
                        + #""model":"gpt-4o","usage":\#(usage)}"#))
        }
        try await GatewayScene.with(upstreams: [Self.upstream(provider)], atNoon: true) { scene in
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.05", "--policy", "block"
            ).expecting()
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            // A cent for what it may write, and a little for what it reads.
            let body =
                #"{"model":"gpt-4o","input":"a","background":true,"max_output_tokens":1000,"service_tier":"default"}"#
            var begun = 0
            try await eventually("the limit is met, not after \(begun) calls") {
                let answer = await gateway.post("/v1/responses", key: key, body)
                if answer?.status == 200 { begun += 1 }
                return answer?.status == 429 && begun > 0
            }
            #expect((4...6).contains(begun))
            let calls = try await scene.installation.recordedCalls(atLeast: begun)
            #expect(calls.allSatisfy { $0.cost.nanos == 0 && (10_000_001...11_000_000).contains($0.bound.nanos) })
            try await heard(scene, [gateway], count: calls.count)
            #expect(await gateway.post("/v1/responses", key: key, body)?.status == 429)

            // To fetch it costs nothing, whatever is left of the limit.
            let fetch = "GET /v1/responses/\(calls[0].pendingAnswer) HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
            #expect(await gateway.send(fetch + "Authorization: Bearer \(key)\r\n\r\n")?.status == 200)
            try await eventually("what it used takes the place of what it might have") {
                await gateway.post("/v1/responses", key: key, body)?.status == 200
            }
            await scene.end(gateway.program)
        }
    }

    /// Waits until all gateways have handled what the log holds.
    private func heard(_ scene: GatewayScene, _ gateways: [SceneGateway], count: Int) async throws {
        let log = SQLiteEventReader(
            files: LogFiles(database: StateDirectory(path: scene.installation.directory).logDatabase))
        let head = try await log.read(after: .start, limit: 1, types: nil).head
        for gateway in gateways {
            try await eventually("\(gateway.name) has heard of it") {
                let known = try JSONValue.parse(gateway.readiness(scene))
                return Self.position(known) >= head.value
            }
        }
    }

    /// Of the consumer `admission`.
    private static func position(_ readiness: JSONValue) -> UInt64 {
        let consumer = readiness["consumers"]?.array?.first { $0["name"]?.string == "admission" }
        return consumer?["position"]?.integer.map { UInt64(clamping: $0) } ?? 0
    }

    // MARK: A model without a price

    /// It costs nothing that anybody knows, and must not be a way around a limit.
    @Test func aModelWithoutAPriceCountsTowardsALimitByItsTokens() async throws {
        // 309 tokens at 10.00 a million are 3,090,000 nano-dollars: the tenth call passes the limit.
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, model: "mystery-1", input: 9, output: 300)) }
        try await GatewayScene.with(
            upstreams: [Self.upstream(provider)],
            configuration: ["gateway_unpriced_per_million: 10.00", "gateway_contact: Kim Lee in FinOps"], atNoon: true
        ) { scene in
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.03", "--policy", "block"
            ).expecting()
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            let body = SceneCall.chat.replacingOccurrences(of: "gpt-4o-2024-08-06", with: "mystery-1")
            _ = try await gateway.firstAnswer(key, body)
            var (admitted, refused): (Int, HTTPAnswer?) = (1, nil)
            while refused == nil, admitted < 40 {
                let answer = try #require(await gateway.post(key: key, body))
                if answer.status == 200 { admitted += 1 } else { refused = answer }
            }
            #expect(refused?.status == 429 && refused?.body.contains("insufficient_quota") == true, "\(admitted)")
            let words = try JSONValue.parse(refused?.body ?? "")["error"]?["message"]?.string ?? ""
            #expect(words.contains("limit of 0.03") && words.contains("Ask Kim Lee in FinOps"), "\(words)")
            let resets = words.split(separator: " ").first { $0.hasPrefix("20") }.flatMap {
                Timestamp(rfc3339: String($0))
            }
            let now = try PipelineClock.load(from: StateDirectory(path: scene.installation.directory)).now()
            let hours = (try #require(resets, "\(words)").seconds - now.seconds + 3_599) / 3_600
            #expect(hours == 12 && words.contains("midnight in Asia/Seoul"), "\(words)")
            #expect((9...10).contains(admitted))
            let calls = try await scene.installation.recordedCalls(atLeast: admitted)
            #expect(calls.count == admitted && calls.allSatisfy { !$0.hasCost && !$0.unpricedReason.isEmpty })
            await scene.end(gateway.program)
        }
    }

    // MARK: Redelivery

    @Test func aRecordThatTheLogRefusedIsFoundAndDeliveredOnce() async throws {
        try await GatewayScene.with(upstreams: []) { scene in
            let directory = StateDirectory(path: scene.installation.directory)
            let spool = try Spool(directory.gateway("gateway"))
            var call = Gatewayed.call("call-1", by: "gateway", project: "chatbot", started: wallTime(), nanos: 5)
            call.provider = "openai"
            let stream = StreamName("calls-\(call.account)-2026-11-22")
            let number = try spool.append(
                FinOpsEvent.callRecorded(call).newEvent(in: stream, occurred: wallTime()), to: stream)
            var record: SpoolRecord?
            try await eventually("it is on disk") {
                record = try await spool.read(after: 0, limit: 1).first
                return record != nil
            }
            _ = try spool.setAside(try #require(record))
            await spool.close()
            let failed = FinOpsEvent.processingFailed(
                .with {
                    ($0.stage, $0.position, $0.stream) = ("gateway-gateway", number, stream.text)
                    ($0.type, $0.attempts, $0.error) = ("call.recorded", 1, "unknown type")
                })
            try await scene.installation.smuggle(failed, into: .failures(stage: "gateway-gateway"))
            let doctor = try await scene.installation.run("finops", "doctor").expecting(3).standardOutput
            #expect(doctor.contains("finops dead-letters retry gateway-gateway/\(number)"), "\(doctor)")
            let retry = [
                "dead-letters", "retry", "gateway-gateway/\(number)", "--reason", "the log knows it now", "--json",
            ]
            #expect(try await scene.installation.run("finops", arguments: retry).expecting().json()["changed"] == true)
            #expect(try await scene.installation.recordedCalls().map(\.call) == ["call-1"])
            let letters = try await scene.installation.run("finops", "dead-letters", "list", "--json").expecting()
            let isListEmpty = try letters.json().array?.isEmpty == true
            #expect(isListEmpty, "\(letters.standardOutput)")
            let again = try await scene.installation.run("finops", arguments: retry).expecting(1)
            #expect(again.standardError.contains("it was delivered"))
            let well = try await scene.installation.run("finops", "doctor").standardOutput
            #expect(!well.contains("dead-letters retry"))
        }
    }
}
