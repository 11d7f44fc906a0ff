import FinOps
import Metering
import TestSupport
import Testing

@Suite struct CallPricingTests {
    private let day = Day(year: 2_026, month: 11, day: 21)

    private func bound(_ body: String, _ target: String = "/v1/chat/completions", provider: String = "openai") throws
        -> Int64
    {
        var pricing = CallPricing(.seed, policy: ReservationPolicy(unpricedPerMillion: 10_000_000_000))
        return pricing.upperBound(
            try Metered.facts(target, body), try Metered.match(target).route, provider: provider, day: day
        ).nanos
    }

    @Test func theDearestTierThatMayApplyIsReserved() throws {
        // 58 bytes × 0.25 + 100 × 1.00 (priority), and one nano-dollar
        let body = #"{"model":"gpt-4o-mini","max_tokens":100,"messages":[    ]}"#
        #expect(body.utf8.count == 58)
        #expect(try bound(body) == 114_501)
        // All bytes × 0.15 + 100 × 0.60 where the standard tier is asked for
        let standard = String(body.dropLast()) + #","service_tier":"default"}"#
        #expect(try bound(standard) == Int64(standard.utf8.count) * 150 + 60_000 + 1)
    }

    @Test func withoutABoundTheModelsOwnLimitCounts() throws {
        let body = #"{"model":"gpt-4o-mini","messages":[]}"#
        #expect(try bound(body) == Int64(body.utf8.count) * 250 + 16_384 * 1_000 + 1)
        #expect(try bound(#"{"model":"gpt-4o-mini","n":2,"messages":[]}"#) > 2 * 16_384 * 1_000)
    }

    @Test func aModelWithoutPriceIsReservedAtTheConfiguredOne() throws {
        let body = #"{"model":"local","max_tokens":10,"messages":[]}"#
        #expect(try bound(body) == Int64(body.utf8.count + 10) * 10_000 + 1)
    }

    @Test func routesWithoutCostReserveNothing() throws {
        #expect(try bound(#"{"model":"x"}"#, "/v1/moderations") == 0)
        #expect(try bound(#"{"model":"x"}"#, "/v1/messages/count_tokens", provider: "anthropic") == 0)
    }

    /// Whatever an answer tells within what was bounded costs no more than was reserved.
    @Test func noCallWithinItsBoundCostsMore() throws {
        var random = SeededGenerator(seed: 12)
        let models = ["gpt-4o-mini", "gpt-6-sol", "gpt-5.6-sol", "gpt-5-mini", "gpt-5.4", "o3"]
        for _ in 0..<200 {
            let model = models[Int.random(in: 0..<models.count, using: &random)]
            let padding = String(repeating: "x", count: Int.random(in: 0...400_000, using: &random))
            let limit = Int.random(in: 1...1_000, using: &random)
            let body = #"{"model":"\#(model)","max_completion_tokens":\#(limit),"messages":"\#(padding)"}"#
            let input = Int.random(in: 0...body.utf8.count, using: &random)
            let cached = Int.random(in: 0...input, using: &random)
            let written = Int.random(in: 0...(input - cached), using: &random)
            let output = Int.random(in: 0...limit, using: &random)
            let tier = ["default", "flex", "priority"][Int.random(in: 0..<3, using: &random)]
            let answer =
                #"{"model":"\#(model)","service_tier":"\#(tier)","usage":{"prompt_tokens":\#(input),"completion_tokens":\#(output),"prompt_tokens_details":{"cached_tokens":\#(cached),"cache_write_tokens":\#(written)}}}"#
            let cost = try #require(
                try Metered.run("/v1/chat/completions", body: body, answer: Array(answer.utf8)).nanos)
            #expect(cost <= (try bound(body)), "\(answer)")
        }
    }
}
