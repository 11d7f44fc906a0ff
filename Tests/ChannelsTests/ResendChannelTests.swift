import EventLog
import FinOps
import JSON
import Notices
import TestSupport
import Testing
import Transfer

@testable import Channels

@Suite struct ResendChannelTests {
    private static let key = "re_plantedplanted"

    private func channel(_ url: String, seconds: Int = 20) throws -> ResendChannel {
        var settings = TransferSettings()
        settings.totalSeconds = seconds
        let text = #"""
            {"resend_key": "\#(Self.key)", "base_url": "\#(url)", "from": "FinOps <alerts@example.com>",
             "to": [{"address": "kim@example.com"}]}
            """#
        guard case .resend(let access) = try ChannelSecret(secret(text)) else {
            throw ChannelProblem(.missing, "is not Resend's")
        }
        return ResendChannel(access, to: access.to.map(\.address), transport: try CurlTransport(settings)) { notice in
            MailWording(
                subject: "알림", text: notice.mayRepeat ? "again \(notice.at.seconds)" : "\(notice.at.seconds)",
                html: "<p>")
        }
    }

    private func idempotencyKeys(_ server: LocalServer) -> [String] {
        server.seen.map { $0.split(separator: "\r\n").first { $0.hasPrefix("Idempotency-Key: ") } ?? "" }
            .map { String($0.dropFirst("Idempotency-Key: ".count)) }
    }

    @Test func theMessageIsGivenToTheServiceWithAKeyOfItsOwn() async throws {
        let body = String(decoding: try fixture("email/resend-ok.json"), as: UTF8.self)
        let server = LocalServer { _, connection in connection.write(TestSupport.answer("200 OK", body)) }
        let outcome = try await channel(server.url).deliver(notice(id: "n-1", crossed("search-api")))
        #expect(outcome == .delivered(answer: "49a3999c-0000-4000-8000-EXAMPLE00001"))
        let head = try #require(server.seen.first)
        #expect(head.hasPrefix("POST /emails HTTP/1.1\r\n"))
        #expect(head.contains("Authorization: Bearer \(Self.key)\r\n"))
        #expect(head.contains("User-Agent: finops\r\n"))
        #expect(idempotencyKeys(server) == ["n-1-mail-ko"])
        let sent = try JSONValue.parse(try #require(server.bodies.first))
        #expect(sent["from"]?.string == "FinOps <alerts@example.com>")
        #expect(sent["to"] == ["kim@example.com"])
        #expect(sent["subject"]?.string == "알림")
        #expect(sent["headers"]?["Auto-Submitted"]?.string == "auto-generated")
        #expect(sent["headers"]?["References"]?.string?.hasPrefix("<window-") == true)
    }

    @Test func aRepeatHasTheSameKeyAndTheSameContent() async throws {
        let server = LocalServer { _, connection in connection.write(TestSupport.answer("200 OK", #"{"id":"1"}"#)) }
        let channel = try channel(server.url)
        for attempt in 0..<2 {
            let at = Timestamp(seconds: moment.seconds + Int64(attempt))
            _ = await channel.deliver(notice(crossed("a"), mayRepeat: attempt == 1, at: at))
        }
        #expect(Set(idempotencyKeys(server)).count == 1)
        #expect(Set(server.bodies).count == 1)
    }

    @Test func aRepeatThatHasChangedGoesOutAndSaysThatItMayBeOne() async throws {
        let conflict = String(
            decoding: try fixture("email/error-resend-409-invalid_idempotent_request.json"), as: UTF8.self)
        let calls = Counter()
        let server = LocalServer { _, connection in
            connection.write(
                calls.next() == 1
                    ? TestSupport.answer("409 Conflict", conflict) : TestSupport.answer("200 OK", #"{"id":"1"}"#))
        }
        #expect(try await channel(server.url).deliver(notice(crossed("a"))) == .delivered(answer: "1"))
        #expect(Set(idempotencyKeys(server)).count == 2)
        #expect(server.bodies.last?.contains("again") == true)
    }

    @Test(arguments: [
        ("400-invalid_idempotency_key", "refused", false), ("401-missing_api_key", "not-authorised", false),
        ("401-restricted_api_key", "not-authorised", false), ("403-invalid_api_key", "not-authorised", false),
        ("403-validation_error", "not-authorised", false), ("404-not_found", "misconfigured", false),
        ("405-method_not_allowed", "refused", false), ("409-concurrent_idempotent_requests", "unavailable", true),
        ("422-invalid_from_address", "refused", false), ("422-missing_required_field", "refused", false),
        ("422-validation_error", "refused", false), ("429-daily_quota_exceeded", "throttled", true),
        ("429-rate_limit_exceeded", "throttled", true), ("451-security_error", "refused", false),
        ("500-application_error", "unavailable", true), ("500-internal_server_error", "unavailable", true),
    ])
    func everyErrorHasItsPlace(_ file: String, _ code: String, _ isRetriable: Bool) async throws {
        let body = String(decoding: try fixture("email/error-resend-\(file).json"), as: UTF8.self)
        let server = LocalServer { _, connection in
            connection.write(TestSupport.answer("\(file.prefix(3)) Failing", headers: ["retry-after: 2"], body))
        }
        let failure = try #require(try await channel(server.url).deliver(notice(crossed("a"))).failure)
        #expect(failure.code == code)
        #expect(failure.isRetriable == isRetriable)
        #expect(!failure.isUncertain)
        #expect(failure.message.contains(file.dropFirst(4)))
        #expect(failure.retryAfterSeconds == (file.contains("daily") ? 3_600 : 2))
    }

    @Test func aKeyThatIsRepeatedAndAnAddressAreInNoMessage() async throws {
        let server = LocalServer { request, connection in
            connection.write(TestSupport.answer("403 Forbidden", "<p>1010 \(request) kim@example.com</p>"))
        }
        let failure = try #require(try await channel(server.url).deliver(notice(crossed("a"))).failure)
        #expect(!failure.message.contains("planted"))
        #expect(!failure.message.contains("kim@"))
    }

    @Test func silenceLeavesItsFateUnknown() async throws {
        let server = LocalServer { _, connection in connection.awaitClientLeaving() }
        let failure = try await channel(server.url, seconds: 1).deliver(notice(crossed("a"))).failure
        #expect(failure?.code == "timed-out")
        #expect(failure?.isUncertain == true)
    }
}
