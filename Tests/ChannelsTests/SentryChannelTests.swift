import FinOps
import JSON
import Notices
import TestSupport
import Testing
import Transfer

@testable import Channels

@Suite struct SentryChannelTests {
    private func channel(_ server: LocalServer) throws -> SentryChannel {
        let dsn = "http://plantedplanted@127.0.0.1:\(server.port)/42"
        guard case .sentry(let access) = try ChannelSecret(secret(#"{"dsn": "\#(dsn)"}"#)) else {
            throw ChannelProblem(.missing, "is not Sentry's")
        }
        return SentryChannel(access, transport: try CurlTransport()) { _ in
            ["message": "수집 실패", "event_id": "not this one"]
        }
    }

    @Test func anEventIsSentInAnEnvelope() async throws {
        let server = LocalServer { _, connection in connection.write(TestSupport.answer("200 OK", #"{"id":"1"}"#)) }
        let outcome = try await channel(server).deliver(notice(destination: "sentry"))
        #expect(outcome == .delivered(answer: #"{"id":"1"}"#))
        let head = try #require(server.seen.first)
        #expect(head.hasPrefix("POST /api/42/envelope/ HTTP/1.1\r\n"))
        #expect(
            head.contains(
                "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=finops/1.0, sentry_key=plantedplanted\r\n"))
        let lines = try #require(server.bodies.first).split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        let (about, item, event) = (
            try JSONValue.parse(lines[0]), try JSONValue.parse(lines[1]), try JSONValue.parse(lines[2])
        )
        #expect(about["event_id"] == event["event_id"])
        #expect(about["sent_at"]?.string == "2026-11-22T08:00:00Z")
        #expect(about["event_id"]?.string?.count == 32)
        #expect(item["type"]?.string == "event")
        #expect(item["length"]?.integer == Int64(lines[2].utf8.count))
        #expect(event["message"]?.string == "수집 실패")
    }

    @Test func aRepeatIsTheSameEvent() async throws {
        let server = LocalServer { _, connection in connection.write(TestSupport.answer("200 OK", "{}")) }
        let channel = try channel(server)
        for id in ["1", "1", "2"] { _ = await channel.deliver(notice(id: id, destination: "sentry")) }
        let ids = try server.bodies.map { try JSONValue.parse(String($0.prefix { $0 != "\n" }))["event_id"]?.string }
        #expect(ids[0] == ids[1])
        #expect(ids[0] != ids[2])
    }

    @Test(arguments: [
        ("400 Bad Request", "refused", false), ("401 Unauthorized", "not-authorised", false),
        ("403 Forbidden", "not-authorised", false), ("404 Not Found", "misconfigured", false),
        ("413 Too Large", "refused", false), ("429 Too Many Requests", "throttled", true),
        ("503 Unavailable", "unavailable", true),
    ])
    func aRefusalIsForNowOrForGoodAndKeepsTheKey(_ status: String, _ code: String, _ isRetriable: Bool) async throws {
        let server = LocalServer { request, connection in
            connection.write(TestSupport.answer(status, headers: ["Retry-After: 60"], #"{"detail":"\#(request)"}"#))
        }
        let failure = try #require(try await channel(server).deliver(notice(destination: "sentry")).failure)
        #expect(failure.code == code)
        #expect(failure.isRetriable == isRetriable)
        #expect(failure.retryAfterSeconds == 60)
        #expect(!failure.message.contains("planted"))
    }
}
