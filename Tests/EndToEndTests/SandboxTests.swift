import JSON
import Foundation
import Testing

/// The sandbox tells what its rule says, in pages that add up.
@Suite struct SandboxTests {
    @Test func itsOwnCountAgreesWithTheOracle() async throws {
        let oracle = try Oracle()
        try await Installation.with { installation in
            let answer = try await installation.control(
                "GET", "/sandbox/expected?from=2026-11-09&to=2026-11-15&by=key,model")
            expectEqual(answer, oracle.totals(by: [.key, .model]), by: ["key", "model"])
        }
    }

    @Test func itsPagesHoldEveryCallOnce() async throws {
        try await Installation.with { installation in
            var requests: Int64 = 0
            for kind in ["completions", "embeddings"] {
                var page: String?
                repeat {
                    let token = page.map { "&page=" + $0.replacingOccurrences(of: "=", with: "%3D") } ?? ""
                    let answer = try await installation.get(
                        "/v1/organization/usage/\(kind)?start_time=1794150000&end_time=1794754800&bucket_width=1h"
                            + "&limit=50&group_by=project_id&group_by%5B%5D=model" + token)
                    let rows = answer["data"]?.array?.flatMap { $0["results"]?.array ?? [] } ?? []
                    requests += rows.reduce(0) { $0 + ($1["num_model_requests"]?.integer ?? 0) }
                    #expect(answer["has_more"]?.bool == (answer["next_page"]?.string != nil))
                    page = answer["next_page"]?.string
                } while page != nil
            }
            #expect(requests == 19_366)
        }
    }

    @Test func anOrdinaryKeyIsRefusedAsTheProviderRefusesIt() async throws {
        try await Installation.with { installation in
            let wrong = try await installation.get("/v1/organization/costs?start_time=1794150000", key: "sk-admin-no")
            #expect(wrong["error"]?["code"]?.string == "invalid_api_key")
            let ordinary = try await installation.get("/v1/organization/costs?start_time=1", key: "sk-proj-1")
            #expect(ordinary["error"]?.string?.contains("api.usage.read") == true)
        }
    }
}
