import FinOps
import Foundation
import JSON
import Metering
import TestSupport
import Testing

/// Every route that can stream its answer, in the provider's own framing: exactly one event for each, with the usage that the
/// stream's last word tells.
@Suite(.serialized) struct GatewayStreamTests {
    /// What a client asks for on a route, what the provider says, and what the event must hold.
    private struct Stream: Sendable {
        let route: String
        let model: String
        /// Of a JSON body, or of a form: beside the model, by name.
        let members: [(name: String, json: String)]
        var file: String?
        let events: String
        var served: String?
        let input, output: Int64
        var classes: @Sendable (WireQuantities) -> Bool = { _ in true }
        let nanos: Int64

        func request(key: String) -> String {
            guard let file else {
                let members = members.map { ",\"\($0.name)\":\($0.json)" }.joined()
                return SceneCall.post(route, key: key, #"{"model":"\#(model)"\#(members)}"#)
            }
            let fields = ([("model", model)] + members.map { ($0.name, $0.json) }).map {
                "--edge\r\nContent-Disposition: form-data; name=\"\($0.0)\"\r\n\r\n\($0.1)\r\n"
            }
            let content =
                "--edge\r\nContent-Disposition: form-data; name=\"\(file)\"; filename=\"a\"\r\n"
                + "Content-Type: application/octet-stream\r\n\r\nRIFF\r\n--edge--\r\n"
            return SceneCall.post(route, key: key, fields.joined() + content)
                .replacingOccurrences(
                    of: "Content-Type: application/json", with: "Content-Type: multipart/form-data; boundary=edge")
        }
    }

    /// As `Tests/MeteringTests` has it from the providers.
    private static func fixture(_ name: String) -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = tests.appending(path: "MeteringTests/Fixtures/\(name).sse")
        // Without it the test fails: an empty stream tells no usage.
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }

    private static func events(_ data: String..., named: Bool = false) -> String {
        data.map { data in
            let type = (try? JSONValue.parse(data))?["type"]?.string
            return (named ? type.map { "event: \($0)\n" } ?? "" : "") + "data: \(data)\n\n"
        }.joined()
    }

    private static func pictures(_ kind: String, input: (text: Int, image: Int)) -> String {
        let look =
            #""b64_json":"iVBORw0KGgo=","created_at":1795168800,"size":"1024x1024","quality":"medium","#
            + #""background":"opaque","output_format":"png""#
        let sum = input.text + input.image
        let usage =
            #"{"total_tokens":\#(sum + 1_056),"input_tokens":\#(sum),"output_tokens":1056,"input_tokens_details":"#
            + #"{"text_tokens":\#(input.text),"image_tokens":\#(input.image)}}"#
        return events(
            #"{"type":"\#(kind).partial_image",\#(look),"partial_image_index":0}"#,
            #"{"type":"\#(kind).partial_image",\#(look),"partial_image_index":1}"#,
            #"{"type":"\#(kind).completed",\#(look),"usage":\#(usage)}"#, named: true)
    }

    private static let completion =
        #"{"id":"cmpl-7","object":"text_completion","created":1795168800,"model":"gpt-3.5-turbo-instruct","#
    private static let turn: (name: String, json: String) = ("messages", #"[{"role":"user","content":"is it?"}]"#)
    private static let streamed: (name: String, json: String) = ("stream", "true")

    private static let all: [Stream] = [
        // 19 × 0.15 + 2 × 0.60
        Stream(
            route: "/v1/chat/completions", model: "gpt-4o-mini", members: [turn, streamed],
            events: fixture("openai/chat-stream-with-usage"), served: "gpt-4o-mini-2024-07-18", input: 19, output: 2,
            nanos: 4_050),
        // 5 × 1.50 + 3 × 2.00
        Stream(
            route: "/v1/completions", model: "gpt-3.5-turbo-instruct", members: [("prompt", #""is it?""#), streamed],
            events: events(
                completion + #""choices":[{"text":"Hi","index":0,"logprobs":null,"finish_reason":null}],"usage":null}"#,
                completion + #""choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
                completion
                    + #""choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}"#, "[DONE]"),
            input: 5, output: 3, nanos: 13_500),
        // 37 × 2.00 + 11 × 10.00
        Stream(
            route: "/v1/responses", model: "gpt-6-sol", members: [("input", #""is it?""#), streamed],
            events: fixture("openai/response-stream"), input: 37, output: 11, nanos: 184_000),
        // 472 × 2.00 + 300 × 0.10 + 89 × 10.00
        Stream(
            route: "/v1/messages", model: "claude-sonnet-5-5", members: [turn, ("max_tokens", "100"), streamed],
            events: fixture("anthropic/message-stream"), input: 772, output: 89,
            classes: { $0.cachedInputTokens == 300 }, nanos: 1_864_000),
        // 50 × 5.00 + 1,056 × 40.00
        Stream(
            route: "/v1/images/generations", model: "gpt-image-1",
            members: [("prompt", #""a cat""#), streamed, ("partial_images", "2")],
            events: pictures("image_generation", input: (50, 0)), input: 50, output: 1_056,
            classes: { $0.imageOutputTokens == 1_056 }, nanos: 42_490_000),
        // 50 × 5.00 + 300 × 10.00 + 1,056 × 40.00
        Stream(
            route: "/v1/images/edits", model: "gpt-image-1",
            members: [("prompt", "a cat"), streamed, ("partial_images", "2")], file: "image",
            events: pictures("image_edit", input: (50, 300)), input: 350, output: 1_056,
            classes: { $0.imageInputTokens == 300 && $0.imageOutputTokens == 1_056 }, nanos: 45_490_000),
        // 14 × 0.60 + 101 × 12.00
        Stream(
            route: "/v1/audio/speech", model: "gpt-4o-mini-tts",
            members: [("input", #""is it?""#), ("voice", #""alloy""#), ("stream_format", #""sse""#)],
            events: events(
                #"{"type":"speech.audio.delta","audio":"SUQz"}"#, #"{"type":"speech.audio.delta","audio":"SUQz"}"#,
                #"{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}"#),
            input: 14, output: 101, nanos: 1_220_400),
        // 14 × 3.00 + 4 × 5.00
        Stream(
            route: "/v1/audio/transcriptions", model: "gpt-4o-mini-transcribe", members: [streamed], file: "file",
            events: events(
                #"{"type":"transcript.text.delta","delta":"Hello"}"#,
                #"{"type":"transcript.text.delta","delta":" there."}"#,
                #"{"type":"transcript.text.done","text":"Hello there.","usage":{"type":"tokens","input_tokens":14,"#
                    + #""input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":4,"total_tokens":18}}"#
            ), input: 14, output: 4, classes: { $0.audioInputTokens == 14 }, nanos: 62_000),
    ]

    /// They have an answer to tell usage of, and none of them streams it.
    private static let unstreamed = ["/v1/embeddings", "/v1/images/variations", "/v1/audio/translations"]

    /// In chunks that respect no event: so it comes over a network.
    private static func reply(_ request: ProviderStandIn.Request) -> ProviderStandIn.Reply {
        guard let stream = all.first(where: { $0.route == request.target }) else {
            return .text(answer("404 Not Found", "{}"))
        }
        let bytes = Array(stream.events.utf8)
        let chunks = Swift.stride(from: 0, to: bytes.count, by: 61).map { start in
            let chunk = bytes[start..<min(start + 61, bytes.count)]
            return String(chunk.count, radix: 16) + "\r\n" + String(decoding: chunk, as: UTF8.self) + "\r\n"
        }
        let head = [
            "HTTP/1.1 200 OK", "Content-Type: text/event-stream; charset=utf-8", "Transfer-Encoding: chunked",
            "x-request-id: req-\(request.number)", "", "",
        ]
        return .text(head.joined(separator: "\r\n") + chunks.joined() + "0\r\n\r\n")
    }

    @Test func everyRouteThatCanStreamIsNamed() {
        let answering = Route.all.filter { $0.hasBody && $0.reading != .none }.map(\.name)
        #expect(Set(Self.all.map(\.route)).isDisjoint(with: Self.unstreamed))
        #expect(Set(Self.all.map(\.route) + Self.unstreamed) == Set(answering))
    }

    @Test func everyStreamedAnswerIsOneEventWithTheUsageOfItsLastWord() async throws {
        let provider = ProviderStandIn(Self.reply)
        let upstreams = [
            ["openai", "--name", "main", "--base-url", provider.url + "/v1"],
            ["anthropic", "--name", "claude", "--base-url", provider.url + "/v1"],
        ]
        try await GatewayScene.with(upstreams: upstreams) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            try await eventually("it knows the key and the upstreams' keys") {
                for stream in [Self.all[0], Self.all[3]] {
                    if await gateway.send(stream.request(key: key))?.status != 200 { return false }
                }
                return true
            }
            let before = provider.requests.count
            var asked: [(stream: Stream, id: String)] = []
            for stream in Self.all {
                let answer = try #require(await gateway.send(stream.request(key: key)), "\(stream.route)")
                #expect(answer.status == 200, "\(stream.route): \(answer.body)")
                #expect(answer.field("content-type")?.hasPrefix("text/event-stream") == true, "\(stream.route)")
                expectPassed(stream, answer, try #require(provider.requests.last))
                asked.append((stream, try #require(answer.field("x-request-id"), "\(stream.route)")))
            }
            let calls = try await scene.installation.recordedCalls(atLeast: before + Self.all.count)
            #expect(calls.count == before + Self.all.count)
            for (stream, id) in asked { expectCounted(stream, calls.filter { $0.upstreamRequest == id }) }
            await scene.end(gateway.program)
        }
    }

    /// The client sees the provider's bytes, but for the usage of a chat that it did not ask for.
    private func expectPassed(_ stream: Stream, _ answer: HTTPAnswer, _ request: ProviderStandIn.Request) {
        guard stream.route.hasSuffix("/completions") else {
            #expect(answer.body == stream.events, "\(stream.route)")
            return
        }
        #expect(request.body.contains(#""stream_options":{"include_usage":true}"#), "\(request.body)")
        #expect(!answer.body.contains("usage") && answer.body.hasSuffix("data: [DONE]\n\n"), "\(answer.body)")
        // The last but one is the chunk that was asked for on the client's behalf.
        let events = stream.events.components(separatedBy: "\n\n").count - 1
        #expect(answer.body.components(separatedBy: "\n\n").count - 1 == events - 1)
    }

    private func expectCounted(_ stream: Stream, _ calls: [WireCallRecorded]) {
        #expect(calls.count == 1, "\(stream.route): \(calls.count) events")
        guard let call = calls.first else { return }
        #expect(call.route == stream.route && call.modelAsked == stream.model && call.status == 200)
        #expect(call.model == stream.served ?? stream.model && call.ended == "complete", "\(stream.route)")
        // However the route calls it: speech has `stream_format`, not `stream`.
        let isMarked = call.streamed
        #expect(isMarked, "\(stream.route) is not recorded as streamed")
        let quantities = call.quantities
        #expect(quantities.inputTokens == stream.input && quantities.outputTokens == stream.output, "\(stream.route)")
        #expect(stream.classes(quantities), "\(stream.route): \(quantities)")
        #expect(call.usageEstimated.isEmpty && call.unpricedReason.isEmpty, "\(stream.route): \(call)")
        #expect(call.cost.nanos == stream.nanos, "\(stream.route): \(call.cost.nanos)")
    }
}
