import EventLog
import FinOps
import Foundation
import JSON
import SwiftProtobuf
import TestSupport
import Testing

/// What somebody may try who can reach the gateway, and what comes of it: nothing.
@Suite(.serialized, .attackScene) struct GatewayAttackTests {
    // MARK: Where a call goes

    @Test func aRequestCannotChooseWhereItGoes() async throws {
        let attack = try AttackScene.shared
        let elsewhere = "127.0.0.1:\(attack.trap.port)"
        let fields = [
            "X-Forwarded-Host: \(elsewhere)", "X-Forwarded-Proto: https", "Forwarded: host=\(elsewhere)",
            "X-Original-URL: http://\(elsewhere)/", "X-Rewrite-URL: http://\(elsewhere)/", "X-Host: \(elsewhere)",
            "Via: 1.1 \(elsewhere)", "X-FinOps-Upstream: \(elsewhere)", "Proxy-Authorization: Basic eA==",
        ]
        let body = """
            {"model":"gpt-4o-2024-08-06","base_url":"http://\(elsewhere)/v1","api_base":"http://\(elsewhere)",\
            "url":"http://\(elsewhere)","messages":[{"role":"user","content":[{"type":"image_url",\
            "image_url":{"url":"http://\(elsewhere)/a.png"}}]}],"metadata":{"upstream":"http://\(elsewhere)"}}
            """
        let request = SceneCall.post(
            "/v1/chat/completions?base_url=http://\(elsewhere)", key: attack.key.text, body, fields: fields
        ).replacingOccurrences(of: "Host: gateway.example\r\n", with: "Host: \(elsewhere)\r\n")
        let before = try await attack.recorded()
        #expect(await attack.gateway.send(request)?.status == 200)
        _ = try await attack.scene.installation.recordedCalls(atLeast: before + 1)
        let seen = try #require(attack.provider.requests.last)
        #expect(seen.field("host") == "127.0.0.1:\(attack.provider.port)")
        #expect(seen.target == "/v1/chat/completions?base_url=http://\(elsewhere)")
        #expect(seen.field("authorization") == "Bearer \(GatewayScene.upstreamKey)")
        let names = Set(seen.fields.map(\.name))
        #expect(names.isDisjoint(with: ["forwarded", "x-forwarded-host", "x-finops-upstream", "proxy-authorization"]))
        #expect(seen.field("via") == "1.1 finops")
        #expect(attack.trap.seen == [])
        try await attack.expectNothingPassed {
            for target in [
                "http://\(elsewhere)/v1/chat/completions", "//\(elsewhere)/v1/chat/completions",
                "https://a@\(elsewhere)/v1/models", "/v1/../\(elsewhere)/v1/chat/completions", "*",
                "/v1/chat/completions@\(elsewhere)", "/\\\(elsewhere)/v1/chat/completions",
            ] {
                let answer = await attack.gateway.send(SceneCall.post(target, key: attack.key.text, SceneCall.chat))
                #expect([400, 404].contains(answer?.status), "\(target)")
            }
        }
    }

    @Test func aRedirectOfTheUpstreamLeadsNobodyAnywhere() async throws {
        let attack = try AttackScene.shared
        let before = try await attack.recorded()
        let kinds = ["301", "302", "303", "307", "308"]
        for status in kinds {
            let answer = try #require(await attack.gateway.post(key: attack.key.text, fields: ["X-Outcome: \(status)"]))
            // A client that followed it would show its key there.
            #expect(answer.status == Int(status) && answer.field("location") == nil)
        }
        #expect(attack.trap.seen == [])
        let calls = try await attack.scene.installation.recordedCalls(atLeast: before + kinds.count)
        #expect(calls.count == before + kinds.count)
        #expect(calls.suffix(kinds.count).allSatisfy { $0.cost.nanos == 0 && $0.quantities == WireQuantities() })
    }

    @Test func aNameThatOnlyLooksLikeThisMachineIsNoUpstreamWithoutTLS() async throws {
        let attack = try AttackScene.shared
        let file = attack.scene.installation.root.appending(path: "sham")
        try Data("sk-proj-sham".utf8).write(to: file)
        for host in [
            "127.0.0.1.example.com", "127.example.com", "localhost.example.com", "[::ffff:10.0.0.1]", "169.254.169.254",
            "127.0.0.1@example.com", "0.0.0.0", "2130706434", "127.0.0.1%2eexample.com",
        ] {
            let refused = try await attack.scene.installation.run(
                "finops", "upstream", "set", "openai", "--name", "sham", "--base-url", "http://\(host)/v1",
                "--key-file", file.path)
            #expect(refused.status == 64, "\(host): \(refused.standardError)")
        }
    }

    // MARK: Requests that are two

    @Test func whatTwoServersCouldReadDifferentlyIsRefused() async throws {
        let attack = try AttackScene.shared
        let hidden = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n"
        let start = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer \(attack.key.text)\r\n"
        let attempts = [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
            "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + hidden,
            "Content-Length: 0, 44\r\n\r\n" + hidden, "Content-Length: +0\r\n\r\n" + hidden,
            "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
            "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
            "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
            "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n\r\n" + hidden,
            "X-A: b\r\n Content-Length: 44\r\n\r\n" + hidden, "X-A: b\rX-B: c\r\n\r\n" + hidden,
            "X-A: b\u{0}c\r\n\r\n" + hidden, "X-A\u{0B}: b\r\n\r\n" + hidden,
        ]
        try await attack.expectNothingPassed {
            for attempt in attempts {
                let answer = await attack.gateway.send(start + attempt)
                #expect(answer?.status == 400, "\(attempt.debugDescription): \(answer?.body ?? "no answer")")
            }
        }
    }

    @Test func nothingOfARequestBecomesAFieldOfAnother() async throws {
        let attack = try AttackScene.shared
        let injected = #"{"model":"gpt-4o\r\nX-Injected: yes","messages":[]}"#
        try await attack.expectNothingPassed {
            #expect(await attack.gateway.post(key: attack.key.text, injected)?.status == 400)
            for path in ["/v1/models/a%0d%0aX-Injected:%20yes", "/v1/chat/completions?a=\u{0}b", "/v1/models/a\tb"] {
                let line = "GET \(path) HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
                let answer = await attack.gateway.send(line + "Authorization: Bearer \(attack.key.text)\r\n\r\n")
                #expect([400, 404].contains(answer?.status), "\(path)")
            }
        }
        // Fields that the connection names are the connection's: none of ours can be taken off that way.
        let before = try await attack.recorded()
        let fields = ["Connection: authorization, host, content-length, via, x-outcome", "X-Outcome: later"]
        #expect(await attack.gateway.post(key: attack.key.text, fields: fields)?.status == 200)
        let seen = try #require(attack.provider.requests.last)
        #expect(seen.field("authorization") == "Bearer \(GatewayScene.upstreamKey)" && seen.field("x-outcome") == nil)
        #expect(seen.field("content-length") == "\(seen.bodyBytes)" && seen.field("x-injected") == nil)
        _ = try await attack.scene.installation.recordedCalls(atLeast: before + 1)
    }

    // MARK: Keys

    @Test func noKeyButAnIssuedOneOpensAnything() async throws {
        let attack = try AttackScene.shared
        let key = attack.key.text
        var random = SeededGenerator(seed: 46)
        let guessed = (0..<300).map { _ in
            VirtualKey.text(of: (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })
        }.map { String(decoding: $0, as: UTF8.self) }
        let last = key.last == "A" ? "B" : "A"
        let altered = [
            key.lowercased(), key.uppercased(), String(key.dropLast()) + last, key + "A", "\"\(key)\"", " \(key)",
            "fo-" + String(repeating: "A", count: 43), attack.key.id, String(key.prefix(7)), "null", "undefined",
            key.replacingOccurrences(of: "o", with: "\u{43E}"), key.replacingOccurrences(of: "f", with: "\u{FF46}"),
            key + "\u{200B}", key + "%00", "\(key),\(key)", "\(key), Bearer \(key)", GatewayScene.upstreamKey,
            String(repeating: "fo-", count: 5_000),
        ]
        let truncated = (0..<key.count).map { String(key.prefix($0)) }
        try await attack.expectNothingPassed {
            let requests = (guessed + altered + truncated).map {
                ParallelCalls.Call(
                    ports: [attack.gateway.port], request: SceneCall.post(key: $0, SceneCall.chat))
            }
            for (request, answer) in zip(requests, await ParallelCalls.run(requests)) {
                let head = String(decoding: request.request.prefix(200), as: UTF8.self)
                #expect(answer?.status == 401, "\(head.debugDescription): \(answer?.status ?? 0)")
                #expect(answer?.body.contains(key) == false)
            }
            for fields in [
                ["Authorization: Bearer \(attack.otherKey.text)"], ["x-api-key: \(attack.otherKey.text)"],
                ["Authorization: Bearer \(guessed[0])"], ["api-key: x"],
            ] {
                let both = await attack.gateway.post(key: key, fields: fields)
                #expect(both?.status == 401 && both?.body.contains("several API keys") == true, "\(fields)")
            }
            for fields in [
                ["Authorization: Basic \(Data(":\(key)".utf8).base64EncodedString())"], ["Cookie: key=\(key)"],
                ["X-FinOps-Key: \(key)"], ["Proxy-Authorization: Bearer \(key)"],
            ] {
                let request = SceneCall.post(
                    "/v1/chat/completions?api_key=\(key)", key: nil, SceneCall.chat, fields: fields)
                #expect(await attack.gateway.send(request)?.status == 401)
            }
        }
    }

    @Test func aKeyIsItsProjectsWhateverTheRequestSays() async throws {
        let attack = try AttackScene.shared
        let before = try await attack.recorded()
        let fields = [
            "X-FinOps-Project: search", "X-FinOps-Team: other", "X-FinOps-Key: \(attack.otherKey.id)",
            "OpenAI-Project: proj_search", "OpenAI-Organization: org-other", "X-FinOps-Account: other",
            #"X-FinOps-Metadata: {"project":"search","team":"other","key":"\#(attack.otherKey.id)"}"#,
            "Idempotency-Key: the-same",
        ]
        let body = #"{"model":"gpt-4o","messages":[],"project":"search","user":"kim","metadata":{"project":"search"}}"#
        #expect(await attack.gateway.post(key: attack.key.text, body, fields: fields)?.status == 200)
        let seen = try #require(attack.provider.requests.last)
        #expect(seen.fields.allSatisfy { !$0.name.hasPrefix("x-finops-") && !$0.name.hasPrefix("openai-") })
        #expect(await attack.gateway.post(key: attack.otherKey.text, body, fields: fields)?.status == 200)
        let calls = try await attack.scene.installation.recordedCalls(atLeast: before + 2).suffix(2)
        #expect(calls.map(\.project) == ["chatbot", "search"])
        #expect(calls.map(\.key) == [attack.key.id, attack.otherKey.id])
        #expect(calls.allSatisfy { $0.account == "main" && $0.context.metadata["project"] == "search" })
        // With another's idempotency key nobody joins another's call.
        #expect(Set(calls.map(\.call)).count == 2)
    }
}
