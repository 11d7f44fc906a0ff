import FinOps
import Foundation
import Glibc
import TestSupport
import Testing

/// Recordings pass through the gateway while they arrive, and however one ends there is exactly one event.
@Suite(.serialized) struct GatewayUploadTests {
    private static let bytes = 400_000

    private static func field(_ name: String, _ value: String) -> String {
        "--edge\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
    }

    private static let model = field("model", "gpt-4o-mini-transcribe")
    private static let recording =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
        + "Content-Type: audio/wav\r\n\r\n" + String(repeating: "s", count: bytes) + "\r\n"

    /// The bytes of a call, in two parts.
    private static func call(_ key: String, _ form: String) -> (beginning: String, rest: String) {
        let request = SceneCall.post("/v1/audio/transcriptions", key: key, form + "--edge--\r\n").replacingOccurrences(
            of: "Content-Type: application/json", with: "Content-Type: multipart/form-data; boundary=edge")
        return (String(request.prefix(bytes / 2)), String(request.dropFirst(bytes / 2)))
    }

    private static func provider() -> ProviderStandIn {
        ProviderStandIn { request in
            let body =
                #"{"text":"Hello there.","usage":{"type":"tokens","input_tokens":14,"#
                + #""input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":4,"total_tokens":18}}"#
            return .text(
                answer(
                    "200 OK",
                    headers: ["Content-Type: application/json", "x-request-id: \(request.bodyBytes)"], body))
        }
    }

    private func with(_ body: (GatewayScene, ProviderStandIn, SceneGateway, String) async throws -> Void) async throws {
        let provider = Self.provider()
        try await GatewayScene.with(
            upstreams: [["openai", "--name", "main", "--base-url", provider.url]]
        ) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            try await body(scene, provider, gateway, key)
            await scene.end(gateway.program)
        }
    }

    /// Sends a call's beginning, and waits until most of it is with the provider.
    private func begin(_ part: String, _ gateway: SceneGateway, _ provider: ProviderStandIn) async throws
        -> StayingClient
    {
        let before = provider.arrivedBytes
        let client = try #require(StayingClient(port: gateway.port))
        try await client.sends(part)
        try await eventually("the beginning is there") { provider.arrivedBytes > before + Self.bytes / 4 }
        return client
    }

    @Test func aRecordingIsWithTheProviderBeforeItsEnd() async throws {
        try await with { scene, provider, gateway, key in
            let call = Self.call(key, Self.model + Self.recording + Self.field("stream", "false"))
            let client = try await begin(call.beginning, gateway, provider)
            defer { client.close() }
            #expect(provider.requests.count == 1)
            try await client.sends(call.rest)
            try await client.reads("Hello there.")
            let request = provider.requests[1]
            #expect(request.bodyBytes > Self.bytes && request.body.hasPrefix(Self.model + "--edge\r\n"))
            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.count == 2 && calls[1].modelAsked == "gpt-4o-mini-transcribe" && calls[1].status == 200)
            #expect(calls[1].ended == "complete" && calls[1].quantities.audioInputTokens == 14)
            #expect(calls[1].usageEstimated.isEmpty && calls[1].cost.nanos > 0)
        }
    }

    /// Else its cost would be bounded by nothing.
    @Test func whoseModelStandsBehindItIsHeldUntilThen() async throws {
        try await with { scene, provider, gateway, key in
            let call = Self.call(key, Self.recording + Self.model)
            let before = provider.arrivedBytes
            let client = try #require(StayingClient(port: gateway.port))
            defer { client.close() }
            try await client.sends(call.beginning)
            let other = try await gateway.firstAnswer(key)
            #expect(other.status == 200 && provider.arrivedBytes < before + Self.bytes / 4)
            try await client.sends(call.rest)
            try await client.reads("Hello there.")
            #expect(provider.requests.last?.bodyBytes ?? 0 > Self.bytes)
            #expect(try await scene.installation.recordedCalls(atLeast: 3).count == 3)
        }
    }

    /// What it costs is bounded by its end alone, and all of it is read, however late it turns out to be large.
    @Test func aRecordingWithoutALengthIsHeld() async throws {
        try await with { scene, provider, gateway, key in
            func chunked(_ form: String) -> String {
                let call = Self.call(key, form)
                let request = (call.beginning + call.rest).split(separator: "\r\n\r\n", maxSplits: 1)
                let (head, body) = (request[0] + "\r\n\r\n", request[1])
                let chunks = [body.prefix(30_000), body.dropFirst(30_000).prefix(50_000), body.dropFirst(80_000)]
                return String(head).replacing(/Content-Length: \d+/, with: "Transfer-Encoding: chunked")
                    + chunks.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
            }
            let answer = await gateway.send(chunked(Self.model + Self.recording))
            #expect(answer?.status == 200 && provider.requests.last?.bodyBytes ?? 0 > Self.bytes)
            let twice = await gateway.send(chunked(Self.model + Self.recording + Self.field("model", "whisper-1")))
            #expect(twice?.status == 400 && provider.requests.count == 2)
            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.count == 2 && calls[1].modelAsked == "gpt-4o-mini-transcribe")
        }
    }

    @Test func whatDoesNotComeToItsEndCostsNothing() async throws {
        try await with { scene, provider, gateway, key in
            let call = Self.call(key, Self.model + Self.recording)
            let left = try await begin(call.beginning, gateway, provider)
            left.close()
            let twice = Self.call(key, Self.model + Self.recording + Self.field("model", "whisper-1"))
            let contradicting = try await begin(twice.beginning, gateway, provider)
            defer { contradicting.close() }
            try await contradicting.sends(twice.rest)
            try await contradicting.reads(#""param":"model""#)
            let killed = try await begin(call.beginning, gateway, provider)
            defer { killed.close() }
            gateway.program.send(SIGKILL)
            _ = await gateway.program.wait()
            let next = try await scene.gateway()
            let calls = try await scene.installation.recordedCalls(atLeast: 4).dropFirst()
            #expect(calls.map(\.ended) == ["client-gone", "request-unfinished", "gateway-killed"])
            #expect(calls.allSatisfy { $0.cost.nanos == 0 && $0.quantities == WireQuantities() && $0.status == 0 })
            #expect(provider.requests.count == 1)
            #expect(try await next.firstAnswer(key).status == 200)
            await scene.end(next.program)
        }
    }
}
