import JSON
import Metering
import Testing

@Suite struct RefusalTests {
    static let all: [(Refusal, Int, String, String)] = [
        (.malformed(MalformedRequestSample.sample), 400, "", "invalid_request_error"),
        (.noKey, 401, "invalid_api_key", "authentication_error"),
        (.unknownKey, 401, "invalid_api_key", "authentication_error"),
        (
            .expiredKey(prefix: "fo-Ab3d", project: "search", day: "2026-11-20", contact: "Anna"), 401,
            "invalid_api_key", "authentication_error"
        ),
        (
            .disabledKey(prefix: "fo-Ab3d", project: "search", reason: "leaked", contact: "Anna"), 403,
            "permission_denied", "permission_error"
        ),
        (.modelNotAllowed(model: "m", project: "search", contact: "Anna"), 403, "model_not_found", "permission_error"),
        (
            .routeNotAllowed(route: "/v1/models", project: "search", contact: "Anna"), 403, "permission_denied",
            "permission_error"
        ),
        (
            .modelNotServed(model: "m", project: "search", contact: "Anna"), 404, "model_not_found", "not_found_error"
        ),
        (.unknownRoute, 404, "unknown_route", "not_found_error"),
        (
            .limitReached(
                project: "search", limit: "5.00 USD a day", .spent, resets: "2026-11-23T00:00:00Z",
                contact: "Anna"), 429, "insufficient_quota", "rate_limit_error"
        ),
        (
            .rateLimited(.tokens, limit: 10, gateways: 1, project: "search", retryAfter: 7, contact: "Anna"), 429,
            "rate_limit_exceeded",
            "rate_limit_error"
        ),
        (.tooLarge(limit: 5), 413, "request_too_large", "request_too_large"),
        (.unreachable(upstream: "u"), 502, "upstream_unreachable", "api_error"),
        (.timedOut(upstream: "u"), 504, "upstream_timeout", "timeout_error"),
        (.busy(retryAfter: 1), 503, "gateway_busy", "overloaded_error"),
        (.notRecordable(retryAfter: 1), 503, "usage_not_recordable", "overloaded_error"),
        (.outOfDate(retryAfter: 1), 503, "gateway_out_of_date", "overloaded_error"),
        (.vaultClosed(retryAfter: 1), 503, "gateway_vault_closed", "overloaded_error"),
        (.severalKeys, 401, "invalid_api_key", "authentication_error"),
        (.limitUnknown(retryAfter: 5), 503, "gateway_limit_unknown", "overloaded_error"),
        (
            .unreadable(status: 431, code: "headers_too_large", sentence: "s"), 431, "headers_too_large",
            "invalid_request_error"
        ),
    ]

    @Test(arguments: all.indices) func eachHasTheShapeOfItsDialect(_ index: Int) throws {
        let (refusal, status, code, type) = Self.all[index]
        let openai = refusal.answer(in: .openai, request: "req_1")
        #expect(openai.status == status && refusal.status == status)
        let error = try #require(try JSONValue.parse(openai.body)["error"])
        #expect(error.members?.map(\.name) == ["message", "type", "param", "code"])
        #expect(error["code"]?.string ?? "" == code)
        let anthropic = refusal.answer(in: .anthropic, request: "req_1")
        let body = try JSONValue.parse(anthropic.body)
        #expect(anthropic.status == status)
        #expect(body["type"] == "error" && body["request_id"] == "req_1")
        #expect(body["error"]?["type"]?.string == type)
    }

    @Test func aLimitOfMoneyNamesAllAndIsNotRepeated() throws {
        let answer = Self.all[9].0.answer(in: .openai, request: "r")
        let text = String(decoding: answer.body, as: UTF8.self)
        for word in ["search", "5.00 USD a day", "2026-11-23T00:00:00Z", "Anna"] { #expect(text.contains(word)) }
        #expect(answer.headers.contains { $0.name == "x-should-retry" && $0.value == "false" })
        #expect(!answer.headers.contains { $0.name == "retry-after" })
    }

    /// Another moment there may be room again.
    @Test(arguments: Dialect.allCases) func moneyThatIsOnlySetAsideIsToBeAskedForAgain(_ dialect: Dialect) {
        let refusal = Refusal.limitReached(
            project: "search", limit: "5.00 USD a day", .underWay, resets: "2026-11-23T00:00:00Z", contact: "Anna")
        let answer = refusal.answer(in: dialect, request: "r")
        let text = String(decoding: answer.body, as: UTF8.self)
        for word in ["set aside", "search", "5.00 USD a day", "2026-11-23T00:00:00Z", "Anna"] {
            #expect(text.contains(word), "\(text)")
        }
        #expect(answer.status == 429 && !text.contains("enforced_spend_limit_reached"))
        #expect(answer.headers.contains { $0.name == "retry-after" && $0.value == "1" })
        #expect(!answer.headers.contains { $0.name == "x-should-retry" })
    }

    @Test(arguments: Dialect.allCases) func whatAKillCutShortIsWaitedForByItsTime(_ dialect: Dialect) {
        let refusal = Refusal.limitReached(
            project: "search", limit: "5.00 USD a day", .cutShort(seconds: 412), resets: "2026-11-23T00:00:00Z",
            contact: "Anna")
        let answer = refusal.answer(in: dialect, request: "r")
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(text.contains("an end of the gateway cut short. Please try again in 412s."), "\(text)")
        #expect(answer.headers.contains { $0.name == "retry-after" && $0.value == "412" })
    }

    /// Whoever knows whose key it is, says so: the project, and whom to ask.
    @Test(arguments: Dialect.allCases) func whoeverHasAKeyIsToldWhomToAsk(_ dialect: Dialect) {
        let known = Self.all.map(\.0).filter { refusal in
            switch refusal {
            case .expiredKey, .disabledKey, .modelNotAllowed, .routeNotAllowed, .modelNotServed, .limitReached,
                .rateLimited:
                true
            case .malformed, .noKey, .unknownKey, .severalKeys, .unknownRoute, .tooLarge, .unreachable, .timedOut,
                .busy, .notRecordable, .limitUnknown, .outOfDate, .vaultClosed, .unreadable:
                false
            }
        }
        #expect(known.count == 7)
        for refusal in known {
            let text = String(decoding: refusal.answer(in: dialect, request: "r").body, as: UTF8.self)
            #expect(text.contains("search") && text.contains("Anna"), "\(text)")
        }
    }

    @Test func aRateLimitSaysWhenToComeBack() {
        let answer = Self.all[10].0.answer(in: .anthropic, request: "r")
        #expect(answer.headers.contains { $0.name == "retry-after" && $0.value == "7" })
    }

    @Test func anUnknownRouteNamesThoseThereAre() {
        let text = String(decoding: Refusal.unknownRoute.answer(in: .openai, request: "r").body, as: UTF8.self)
        for route in Route.all { #expect(text.contains(route.name)) }
    }
}

enum MalformedRequestSample {
    static let sample: MalformedRequest = {
        do {
            _ = try Metered.facts("/v1/chat/completions", "{")
            preconditionFailure("an open brace is no request")
        } catch let error as MalformedRequest { return error } catch { preconditionFailure("\(error)") }
    }()
}
