import Foundation
import JSON
import Testing

/// Several organisations in one installation, over both of the provider's interfaces: one that fails keeps no other out.
@Suite(.serialized) struct OrganisationsTests {
    private static let olderKey = "sk-proj-CANARY-0c5be7d19f3a4826"
    private static let day = "2026-11-10"

    @Test func oneOrganisationIsCollectedWhileAnotherIsRefused() async throws {
        let expected = try Oracle().totals(by: [.key, .model], days: 1...1)
        try await Installation.with { plain in
            var installation = plain
            installation.environment = ["FINOPS_LEGACY_PAUSE": "0.05"]
            try await installation.connectBoth()
            // The organization API refuses its key, the older one answers.
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "echo", "path": "/v1/organization/", "times": 1_000])
            let refused = try await installation.backfill(Self.day, Self.day).expecting(4)
            #expect(refused.standardError.contains("acme: ") && !refused.standardError.contains("older: 2026"))
            #expect(try await installation.tokens(of: "older") == expected.mapValues(\.withoutCost))
            #expect(try await installation.tokens(of: "acme").isEmpty)
            try await expectRecordOfFailure(installation)
            // And the other way round: what was refused is made up for, what is refused now stays as it was.
            _ = try await installation.control("DELETE", "/sandbox/faults")
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "401", "path": "/v1/usage", "times": 1_000])
            try await installation.backfill(Self.day, Self.day).expecting(4)
            #expect(try await installation.tokens(of: "older") == expected.mapValues(\.withoutCost))
            #expect(try await installation.tokens(of: "acme") == expected.mapValues(\.withoutCost))
            _ = try await installation.control("DELETE", "/sandbox/faults")
            try await installation.backfill(Self.day, Self.day).expecting()
            #expect(try await installation.tokens(of: "acme") == expected.mapValues(\.withoutCost))
            for canary in [Installation.adminKey, Self.olderKey] {
                #expect(try installation.filesHolding(canary).filter { $0 != "older-key" }.isEmpty)
            }
        }
    }

    /// The record says which day, which key and what went wrong, and never the key, although the provider's words had it.
    private func expectRecordOfFailure(_ installation: Installation) async throws {
        let runs = try await installation.run("reporter", "runs", "--json").expecting().json()["runs"]?.array ?? []
        let failed = try #require(runs.first { $0["state"] == "failed" })
        #expect(failed["account"] == "acme" && failed["code"] == "not-authorised" && failed["from"]?.string == Self.day)
        #expect(failed["key"]?.string == "sk-admin-…4a60")
        #expect(failed["message"]?.string?.contains("Incorrect API key") == true)
        let finished = try #require(runs.first { $0["state"] == "finished" })
        #expect(finished["account"] == "older")
        let log = try await installation.run("event-log", "export", "--format", "cloudevents").expecting()
        #expect(log.standardOutput.contains("run.failed") && !log.standardOutput.contains(Installation.adminKey))
    }
}

extension Installation {
    fileprivate func connectBoth() async throws {
        try await connect()
        let file = root.appending(path: "older-key")
        try Data("sk-proj-CANARY-0c5be7d19f3a4826".utf8).write(to: file)
        try await run(
            "finops", "connect", "openai", "--name", "older", "--base-url", address, "--key-file", file.path, "--api",
            "legacy"
        ).expecting()
    }

    /// What an account's rows of the day come to by key and model. The older interface tells neither batch nor tier, so
    /// costs differ; tokens and requests may not.
    fileprivate func tokens(of account: String) async throws -> [[String?]: Oracle.Totals] {
        let answer = try await costs(by: "account,key,model", "2026-11-10", "2026-11-10")
        let rows = (answer["rows"]?.array ?? []).filter { $0["account"]?.string == account }
        return Dictionary(rows.map { ([$0["key"]?.string, $0["model"]?.string], Oracle.Totals($0).withoutCost) }) { $1 }
    }
}
