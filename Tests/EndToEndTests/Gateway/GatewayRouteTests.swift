import FinOps
import Foundation
import JSON
import Metering
import SwiftProtobuf
import TestSupport
import Testing

/// Every route that has a meter, as a client calls it and a provider answers it: exactly one event for each attempt.
@Suite(.serialized) struct GatewayRouteTests {
    private static let model = "gpt-4o-2024-08-06"

    private struct Trial: Sendable {
        let route: Route
        /// Beside the model.
        var members = ""
        var isForm = false
        var isFailure = false

        var target: String { route.name.replacingOccurrences(of: "{id}", with: "resp_7") }

        func request(key: String, model: String) -> String {
            let version = route.dialect == .anthropic ? ["anthropic-version: 2023-06-01"] : []
            let outcome = version + ["x-outcome: \(isFailure ? "failure" : "success")"]
            guard route.hasBody else {
                let lines = ["GET \(target) HTTP/1.1", "Host: g", "Authorization: Bearer \(key)", "Connection: close"]
                return (lines + outcome).joined(separator: "\r\n") + "\r\n\r\n"
            }
            if isForm {
                let body = ["model": model, "prompt": "a cat"].sorted { $0.key < $1.key }.map {
                    "--edge\r\nContent-Disposition: form-data; name=\"\($0.key)\"\r\n\r\n\($0.value)\r\n"
                }.joined()
                let file =
                    "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
                    + "Content-Type: audio/wav\r\n\r\nRIFF\r\n--edge--\r\n"
                return SceneCall.post(target, key: key, body + file, fields: outcome)
                    .replacingOccurrences(
                        of: "Content-Type: application/json", with: "Content-Type: multipart/form-data; boundary=edge")
            }
            let body = #"{"model":"\#(model)","input":"is it?","messages":[],"max_tokens":300\#(members)}"#
            return SceneCall.post(target, key: key, body, fields: outcome)
        }
    }

    /// What a provider says on a route.
    private static func reply(_ request: ProviderStandIn.Request) -> ProviderStandIn.Reply {
        let id = ["x-request-id: req-\(request.number)"]
        if request.field("x-outcome") == "failure" {
            return .text(
                answer(
                    "500 Internal Server Error", headers: id + ["Content-Type: application/json"],
                    #"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#))
        }
        let path = request.target.prefix { $0 != "?" }
        if request.body.contains(#""stream":true"#) {
            let body = events(path.hasSuffix("/messages"), path.hasSuffix("/responses"))
            return .text(answer("200 OK", headers: id + ["Content-Type: text/event-stream"], body))
        }
        if path.hasSuffix("/audio/speech") {
            return .text(answer("200 OK", headers: id + ["Content-Type: audio/mpeg"], "ID3"))
        }
        let body = #"{"id":"x","object":"x","model":"\#(model)","data":[{"b64_json":""}],"status":"completed","usage":"#
        let usage = #"{"input_tokens":3,"output_tokens":1,"total_tokens":4}}"#
        return .text(answer("200 OK", headers: id + ["Content-Type: application/json"], body + usage))
    }

    private static func events(_ isMessages: Bool, _ isResponses: Bool) -> String {
        let usage = #""usage":{"input_tokens":3,"output_tokens":1}"#
        let data: [String] =
            if isMessages {
                [
                    #"{"type":"message_start","message":{"id":"m","model":"\#(model)",\#(usage)}}"#,
                    #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
                    #"{"type":"message_stop"}"#,
                ]
            } else if isResponses {
                [
                    #"{"type":"response.completed","response":{"id":"r","model":"\#(model)","status":"completed",\#(usage)}}"#
                ]
            } else {
                [
                    #"{"id":"c","model":"\#(model)","choices":[{"index":0,"delta":{"content":"y"}}],"usage":null}"#,
                    #"{"id":"c","model":"\#(model)","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
                    "[DONE]",
                ]
            }
        return data.map { "data: \($0)\n\n" }.joined()
    }

    private static var trials: [Trial] {
        let forms = ["/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions", "/v1/audio/translations"]
        let streams = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"]
        return Route.all.flatMap { route -> [Trial] in
            let isForm = forms.contains(route.name)
            let plain = [Trial(route: route, isForm: isForm), Trial(route: route, isForm: isForm, isFailure: true)]
            guard route.hasBody, streams.contains(route.name) else { return plain }
            return plain + [Trial(route: route, members: #","stream":true"#)]
        }
    }

    @Test func everyRouteIsOneEventAndNoOtherIsServed() async throws {
        let provider = ProviderStandIn(Self.reply)
        let upstreams = [
            ["openai", "--name", "main", "--base-url", provider.url + "/v1"],
            ["anthropic", "--name", "claude", "--base-url", provider.url + "/v1"],
        ]
        try await GatewayScene.with(upstreams: upstreams) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            let before = try await scene.installation.recordedCalls(atLeast: 1).count
            try await expectOneEach(scene, gateway, key, before)
            try await expectOthersRefused(scene, gateway, key, provider)
            await scene.end(gateway.program)
        }
    }

    private func expectOneEach(
        _ scene: GatewayScene, _ gateway: SceneGateway, _ key: String, _ before: Int
    ) async throws {
        var expected: [String: Trial] = [:]
        for trial in Self.trials {
            let name = "\(trial.route.method) \(trial.route.name)\(trial.members)"
            let answer = try #require(await gateway.send(trial.request(key: key, model: Self.model)), "\(name)")
            #expect(answer.status == (trial.isFailure ? 500 : 200), "\(name): \(answer.body)")
            expected[try #require(answer.field("x-request-id"), "\(name)")] = trial
        }
        let calls = try await scene.installation.recordedCalls(atLeast: before + expected.count)
        #expect(calls.count == before + expected.count && expected.count == Self.trials.count)
        for (id, trial) in expected {
            let own = calls.filter { $0.upstreamRequest == id }
            #expect(own.count == 1, "\(trial.route.method) \(trial.route.name): \(own.count) events")
            guard let call = own.first else { continue }
            let provider = trial.route.dialect == .anthropic ? "anthropic" : "openai"
            #expect(call.route == trial.route.name && call.provider == provider && call.ended == "complete")
            #expect(call.kind == trial.route.kind && call.status == (trial.isFailure ? 500 : 200))
            // What is free, and what failed, is a cost of nothing; all else has its price or a reason for none.
            #expect(call.hasCost || !call.unpricedReason.isEmpty)
            if trial.isFailure || trial.route.reading == .none { #expect(call.cost.nanos == 0) }
            let isCounted = trial.route.hasBody && ![.none, .speech].contains(trial.route.reading)
            if isCounted, !trial.isFailure {
                #expect(call.quantities.inputTokens == 3, "\(trial.route.name): \(call.quantities)")
            }
        }
    }

    private func expectOthersRefused(
        _ scene: GatewayScene, _ gateway: SceneGateway, _ key: String, _ provider: ProviderStandIn
    ) async throws {
        let (seen, told) = (provider.requests.count, try await scene.installation.recordedCalls().count)
        let unknown = [
            "POST /v1/files", "GET /v1/batches", "POST /v1/threads", "GET /v1/realtime", "POST /v1/fine_tuning/jobs",
            "DELETE /v1/models/gpt-4o", "GET /v1/chat/completions", "POST /v1/chat/completions/",
            "POST /chat/completions",
            "POST /v1/responses/resp_7/cancel", "GET /v1/organization/costs", "POST /openai/deployments/a/completions",
            "POST /v1/complete", "POST /v1/messages/batches", "PUT /v1/messages", "OPTIONS /v1/messages", "GET /",
        ]
        for line in unknown {
            for speaksAnthropic in [false, true] {
                let fields = ["Host: g", "x-api-key: \(key)", "Content-Length: 0", "Connection: close"]
                let version = speaksAnthropic ? ["anthropic-version: 2023-06-01"] : []
                let request = (["\(line) HTTP/1.1"] + fields + version).joined(separator: "\r\n") + "\r\n\r\n"
                let answer = try #require(await gateway.send(request), "\(line)")
                let body = try JSONValue.parse(answer.body)
                #expect(answer.status == 404, "\(line)")
                if speaksAnthropic || line.contains("/v1/messages") {
                    #expect(body["type"] == "error" && body["error"]?["type"] == "not_found_error", "\(line)")
                } else {
                    #expect(body["error"]?["code"] == "unknown_route", "\(line)")
                }
                #expect(body["error"]?["message"]?.string?.contains("POST /v1/chat/completions") == true)
            }
        }
        #expect(provider.requests.count == seen)
        #expect(try await scene.installation.recordedCalls().count == told)
    }

    @Test func azuresDeploymentsAreCalledByTheirNamesWithAzuresKey() async throws {
        let provider = ProviderStandIn(Self.reply)
        let upstreams = [
            [
                "azure", "--name", "eu", "--base-url", provider.url + "/openai?api-version=2024-10-21", "--deployment",
                "\(Self.model)=prod/4o",
            ],
            [
                "azure", "--name", "us", "--base-url", provider.url, "--deployment", "gpt-4o-mini=mini",
            ],
        ]
        try await GatewayScene.with(upstreams: upstreams) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            let before = try await scene.installation.recordedCalls(atLeast: 1).count
            let trials = Self.trials.filter { $0.route.dialect == .openai && $0.route.hasBody && !$0.isFailure }
            for (model, isNamed) in [(Self.model, true), ("gpt-4o-mini", false)] {
                for trial in trials {
                    let answer = try #require(await gateway.send(trial.request(key: key, model: model)))
                    #expect(answer.status == 200, "\(trial.route.name): \(answer.body)")
                    let seen = try #require(provider.requests.last)
                    #expect(seen.target == Self.azureTarget(trial.route, isNamed: isNamed))
                    #expect(seen.field("api-key") == GatewayScene.upstreamKey)
                    #expect(seen.fields.allSatisfy { !["authorization", "x-api-key"].contains($0.name) })
                }
            }
            let calls = try await scene.installation.recordedCalls(atLeast: before + 2 * trials.count)
            #expect(calls.count == before + 2 * trials.count)
            #expect(Set(calls.map(\.upstreamRequest)).count == calls.count)
            #expect(calls.allSatisfy { $0.provider == "azure" && $0.ended == "complete" })
            let chats = calls.filter { $0.route == "/v1/chat/completions" && $0.upstream == "eu" }
            #expect(!chats.isEmpty && chats.allSatisfy { $0.cost.nanos == 3 * 2_500 + 10_000 }, "\(chats)")
            await scene.end(gateway.program)
        }
    }

    /// Deployments stand in the path, but for the routes that Azure has without one and the newer address.
    private static func azureTarget(_ route: Route, isNamed: Bool) -> String {
        let path = route.name.dropFirst(3)
        if !isNamed { return "/openai/v1" + path }
        let place =
            route.reading == .responses || route.name == "/v1/responses/input_tokens" ? "" : "/deployments/prod%2F4o"
        return "/openai\(place)\(path)?api-version=2024-10-21"
    }
}
