import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import SwiftProtobuf
import TestSupport
import Testing

/// What the record of a call says, as the gateway writes it into the log.
@Suite(.serialized) struct GatewayRecordTests {
    /// The provider takes its time, so that times can be told from no times.
    private static let pauseMilliseconds = 60

    private static func events(_ number: Int) -> String {
        func chunk(_ choices: String, usage: String) -> String {
            """
            data: {"id":"chatcmpl-\(number)","object":"chat.completion.chunk","created":1795000000,\
            "model":"gpt-4o-2024-08-06","service_tier":"default","choices":\(choices),"usage":\(usage)}\n\n
            """
        }
        let text = chunk(#"[{"index":0,"delta":{"content":"yes"},"finish_reason":null}]"#, usage: "null")
        let usage = chunk("[]", usage: #"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}"#)
        return answer(
            "200 OK", headers: ["Content-Type: text/event-stream", "x-request-id: req-\(number)"],
            text + usage + "data: [DONE]\n\n")
    }

    @Test func whatWasAskedAndServedAndHowLongItTookIsOnRecord() async throws {
        let provider = ProviderStandIn { request in
            let isStream = request.body.contains(#""stream":true"#)
            return .later(
                isStream ? Self.events(request.number) : SceneCall.answer(request.number, input: 9, output: 2),
                milliseconds: Self.pauseMilliseconds)
        }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url, "--provider-key-id", "key_up"]
        try await GatewayScene.with(upstreams: [upstream]) { scene in
            let key = try await scene.key()
            let gateway = try await scene.gateway()
            let before = wallTime().microseconds
            let asked = SceneCall.chat.replacingOccurrences(of: "gpt-4o-2024-08-06", with: "gpt-4o")
            let whole = try await gateway.firstAnswer(key.text, asked)
            // What is compressed could not be read.
            #expect(provider.requests.allSatisfy { $0.field("accept-encoding") == "identity" })
            let streaming = asked.replacingOccurrences(of: #"{"model""#, with: #"{"stream":true,"model""#)
            let stream = try #require(
                await gateway.post(key: key.text, streaming, fields: ["Accept-Encoding: gzip, br"]))
            #expect(provider.requests.last?.field("accept-encoding") == "identity")
            #expect(stream.status == 200 && stream.body.contains("yes") && !stream.body.contains("prompt_tokens"))
            let after = wallTime().microseconds

            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.map(\.streamed) == [false, true])
            #expect(calls.map(\.call) == [whole, stream].map { $0.field("x-finops-call") ?? "" })
            #expect(calls.map(\.upstreamRequest) == [whole, stream].map { $0.field("x-request-id") ?? "" })
            for call in calls {
                #expect(call.modelAsked == "gpt-4o" && call.model == "gpt-4o-2024-08-06" && call.kind == "completions")
                #expect(call.serviceTier == "default" && !call.batch && call.route == "/v1/chat/completions")
                #expect(call.key == key.id && call.project == "chatbot" && call.gateway == "gateway")
                #expect(call.provider == "openai" && call.upstream == "main" && call.account == "main")
                #expect(call.providerKeyID == "key_up" && call.attempt == 1 && call.status == 200)
                #expect(call.quantities.inputTokens == 9 && call.quantities.outputTokens == 2)
                #expect(call.cost.nanos == 9 * 2_500 + 2 * 10_000 && !call.priceVersion.isEmpty)
                #expect(!call.priceEstimated && call.unpricedReason.isEmpty && call.usageEstimated.isEmpty)
                let pause = Int64(Self.pauseMilliseconds) * 1_000
                #expect(
                    call.firstByte >= pause && call.duration >= call.firstByte, "\(call.firstByte) \(call.duration)")
                // Two clocks: one that people set, and one that only runs.
                #expect(call.started >= before && call.started + call.duration <= after + 50_000)
                #expect(call.ended == "complete")
            }
            await scene.end(gateway.program)
        }
    }

    /// An application may give all its calls one name. They are told apart by when they began, on whatever clock.
    @Test func callsOfOneNameThatBeginTogetherAreAllOnRecord() async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
        try await GatewayScene.with(upstreams: [["openai", "--name", "main", "--base-url", provider.url]]) { scene in
            let key = try await scene.key().text
            let now = wallTime()
            try PipelineClock(scale: .init(start: now, rate: 1, anchor: now, frozen: now))
                .store(in: StateDirectory(path: scene.installation.directory))
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            let request = SceneCall.post(key: key, SceneCall.chat, fields: ["Idempotency-Key: same"])
            let calls = (0..<40).map { _ in ParallelCalls.Call(ports: [gateway.port], request: request) }
            #expect(await ParallelCalls.run(calls).allSatisfy { $0?.status == 200 })
            let told = try await scene.installation.recordedCalls(atLeast: 41)
            #expect(told.count == 41 && Set(told.map(\.started)).count == 41)
            #expect(Set(told.dropFirst().map(\.call)).count == 1)
            await scene.end(gateway.program)
        }
    }

    /// Attempts are one call where the client says so, and only among those with its key.
    @Test func attemptsWithOneIdempotencyKeyAreOneCall() async throws {
        let provider = ProviderStandIn { request in
            let fails = request.field("x-stainless-retry-count") == "0"
            return .text(
                fails
                    ? answer("500 Internal Server Error", headers: ["Content-Type: application/json"], "{}")
                    : SceneCall.answer(request.number, input: 9, output: 2))
        }
        try await GatewayScene.with(upstreams: [["openai", "--name", "main", "--base-url", provider.url]]) { scene in
            let key = try await scene.key().text
            let other = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(other)
            let named = "Idempotency-Key: order-7"
            var ids: [String?] = []
            for (key, fields, status) in [
                (key, [named, "x-stainless-retry-count: 0"], 500), (key, [named, "x-stainless-retry-count: 1"], 200),
                (other, [named, "x-stainless-retry-count: 1"], 200), (key, ["x-stainless-retry-count: 1"], 200),
            ] {
                let answer = try #require(await gateway.post(key: key, fields: fields))
                #expect(answer.status == status)
                ids.append(answer.field("x-finops-call"))
            }
            #expect(ids[0] == ids[1] && Set(ids).count == 3 && !ids.contains(nil))
            let calls = try await scene.installation.recordedCalls(atLeast: 5)
            let attempts = calls.filter { $0.call == ids[0] }
            #expect(attempts.map(\.attempt) == [1, 2] && attempts.map(\.status) == [500, 200])
            #expect(attempts.map(\.cost.nanos) == [0, 42_500])
            #expect(calls.filter { $0.call == ids[2] }.map(\.attempt) == [2])
            // Nothing else says which attempts belong together.
            #expect(calls.filter { $0.call == ids[3] }.map(\.attempt) == [1])
            await scene.end(gateway.program)
        }
    }
}
