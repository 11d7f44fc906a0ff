import FinOps
import JSON
import Notices
import TestSupport
import Testing
import Transfer

@testable import Channels

@Suite struct SlackChannelTests {
    private static let path = "/services/T00000000/B00000000/plantedplanted"

    private func deliver(to url: String, seconds: Int = 20) async throws -> DeliveryOutcome {
        var settings = TransferSettings()
        settings.totalSeconds = seconds
        guard case .slack(let access) = try ChannelSecret(secret(#"{"url": "\#(url)\#(Self.path)"}"#)) else {
            throw ChannelProblem(.missing, "is not Slack's")
        }
        let channel = SlackChannel(access, transport: try CurlTransport(settings)) { _ in
            (["text": "알림", "blocks": []], ["text": "알림"])
        }
        return await channel.deliver(notice(destination: "slack", crossed("search-api")))
    }

    @Test func theMessageIsPostedToTheWebhook() async throws {
        let server = LocalServer { _, connection in connection.write(TestSupport.answer("200 OK", "ok")) }
        #expect(try await deliver(to: server.url) == .delivered(answer: "ok"))
        #expect(server.seen.first?.hasPrefix("POST \(Self.path) HTTP/1.1\r\n") == true)
        #expect(server.seen.first?.contains("Content-Type: application/json") == true)
        #expect(server.bodies == [#"{"text":"알림","blocks":[]}"#])
    }

    @Test func everyKnownErrorIsJudgedByItsTextWhateverTheStatus() async throws {
        let errors = try #require(try JSONValue.parse(fixture("slack/webhook-errors.json")).array)
        for error in errors {
            let (word, retry) = (try #require(error["body"]?.string), try #require(error["retry"]?.string))
            // 400 for what no status tells apart; its own where the status is all there is.
            let status = retry == "no" ? "400 Bad Request" : "\(error["status"]!.integer!) Failing"
            let server = LocalServer { _, connection in
                connection.write(TestSupport.answer(status, headers: ["Retry-After: 7"], "\(word)\n"))
            }
            let failure = try #require(try await deliver(to: server.url).failure, "\(word)")
            #expect(failure.isRetriable == (retry != "no"), "\(word)")
            #expect(failure.message.contains(word))
            #expect(!failure.isUncertain)
            #expect(failure.code == Self.codes[word])
        }
    }

    private static let codes = [
        "invalid_payload": "refused", "no_text": "refused", "invalid_blocks": "refused",
        "too_many_attachments": "refused",
        "user_not_found": "misconfigured", "action_prohibited": "not-authorised",
        "posting_to_general_channel_denied": "not-authorised", "invalid_token": "not-authorised",
        "team_disabled": "not-authorised", "channel_not_found": "misconfigured", "no_service": "misconfigured",
        "no_service_id": "misconfigured", "no_active_hooks": "misconfigured", "no_team": "misconfigured",
        "channel_is_archived": "misconfigured", "rate_limited": "throttled", "rollback_error": "unavailable",
        "service_unavailable": "unavailable",
    ]

    @Test func aThrottledWebhookSaysHowLongToWait() async throws {
        let server = LocalServer { _, connection in
            connection.write(TestSupport.answer("429 Too Many Requests", headers: ["Retry-After: 30"]))
        }
        let failure = try await deliver(to: server.url).failure
        #expect(failure?.code == "throttled")
        #expect(failure?.retryAfterSeconds == 30)
        #expect(failure?.isRetriable == true)
    }

    @Test(arguments: ["invalid_blocks", "invalid_payload"])
    func blocksThatSlackRefusesGoOnceMoreAsPlainText(_ word: String) async throws {
        let calls = Counter()
        let server = LocalServer { _, connection in
            connection.write(
                calls.next() == 1 ? TestSupport.answer("400 Bad Request", word) : TestSupport.answer("200 OK", "ok"))
        }
        #expect(try await deliver(to: server.url).answer?.hasPrefix("ok, in plain text") == true)
        #expect(server.bodies.last == #"{"text":"알림"}"#)
    }

    @Test func plainTextThatIsRefusedAsWellIsNotSentAThirdTime() async throws {
        let server = LocalServer { _, connection in
            connection.write(TestSupport.answer("400 Bad Request", "invalid_payload"))
        }
        #expect(try await deliver(to: server.url).failure?.isRetriable == false)
        #expect(server.seen.count == 2)
    }

    @Test func whatWasSentAndNotAnsweredMayHaveArrived() async throws {
        let silent = LocalServer { _, connection in connection.awaitClientLeaving() }
        let late = try await deliver(to: silent.url, seconds: 1).failure
        #expect(late?.code == "timed-out")
        let gone = LocalServer { _, _ in }
        let lost = try await deliver(to: gone.url).failure
        #expect(lost?.code == "unreachable")
        for failure in [late, lost] {
            #expect(failure?.isUncertain == true)
            #expect(failure?.isRetriable == true)
        }
    }

    @Test func whatReachedNobodyIsCertain() async throws {
        let failure = try await deliver(to: "http://127.0.0.1:1").failure
        #expect(failure?.code == "unreachable")
        #expect(failure?.isUncertain == false)
        #expect(failure?.isRetriable == true)
    }

    @Test(arguments: ["200 OK", "400 Bad Request", "403 Forbidden", "502 Bad Gateway", "302 Found"])
    func anAnswerThatRepeatsTheAddressDoesNotGiveItAway(_ status: String) async throws {
        let server = LocalServer { request, connection in
            connection.write(TestSupport.answer(status, "<p>Blocked: \(request) B00000000 plantedplanted</p>"))
        }
        let failure = try #require(try await deliver(to: server.url).failure)
        #expect(!failure.message.contains("planted"))
        #expect(!failure.message.contains("B00000000"))
        #expect(failure.message.count < 300)
        #expect(failure.isUncertain == ["200 OK", "502 Bad Gateway"].contains(status))
    }
}
