import Foundation
import JSON
import Runtime
import Testing

/// The official clients call the gateway as applications do, with the sandbox as the provider: they are content with every
/// answer, and each attempt is in the record with the provider's own figures, once.
@Suite(.serialized) struct OfficialClientTests {
    private static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Clients")
    private static let python = scripts.deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".build/test-tools/bin/python3").path

    @Test func everyCallOfTheOpenAIClientIsRecordedOnce() async throws {
        try await compare("openai_client.py", provider: "openai", upstreamKey: "sk-proj-CANARY-91b7", path: "/v1") {
            #expect($0.contains { $0["task_type"]?.string == "greeting" && $0["feature"]?.string == "door" })
            // Somebody's address is no one's business here.
            #expect(!$0.contains { ($0["user"]?.string ?? "").contains("kim@") })
            expectCutOff($0, ["upstream-cut": 2, "client-gone": 1])
            #expect(Self.attemptsOfNamedCalls($0) == [[2, 1]])
        }
    }

    @Test func everyCallOfTheAnthropicClientIsRecordedOnce() async throws {
        try await compare("anthropic_client.py", provider: "anthropic", upstreamKey: "sk-ant-CANARY-91b7", path: "") {
            #expect($0.contains { ($0["cached_input_tokens"]?.integer ?? 0) > 0 })
            expectCutOff($0, ["upstream-cut": 1])
            #expect(Self.attemptsOfNamedCalls($0) == [[3, 2, 1]])
        }
    }

    /// The attempts that the client gave one name, the latest first; without a name each is a call.
    private static func attemptsOfNamedCalls(_ rows: [JSONValue]) -> [[Int64]] {
        let calls = Dictionary(grouping: rows) { $0["call"]?.string ?? "" }
        return calls.values.filter { $0.count > 1 }.map { $0.compactMap { $0["attempt"]?.integer } }
    }

    /// What passed of an answer that was cut off is counted: what was asked, and of streams what was said.
    private func expectCutOff(_ rows: [JSONValue], _ expected: [String: Int]) {
        let cut = rows.filter { $0["ended"]?.string != "complete" }
        #expect(Self.tally(cut.map { $0["ended"]?.string ?? "" }) == expected)
        for row in cut {
            let reason = row["usage_estimated"]?.string ?? ""
            #expect(reason.contains("the answer was cut off (\(row["ended"]?.string ?? ""))"), "\(reason)")
            #expect((row["uncached_input_tokens"]?.integer ?? 0) > 0 && (row["cost_nano"]?.integer ?? 0) > 0)
        }
        #expect(cut.contains { ($0["output_tokens"]?.integer ?? 0) > 0 })
    }

    private func compare(
        _ script: String, provider: String, upstreamKey: String, path: String, also check: ([JSONValue]) -> Void
    ) async throws {
        try await Installation.with { installation in
            let gateway = try await installation.openGateway(provider: provider, upstreamKey: upstreamKey)
            let key = try await installation.issueKey(project: "chatbot")
            let narrow = try await installation.issueKey(project: "chatbot", "--models", "o3")
            try await installation.run("finops", "project", "add", "spent", "--team", "apps").expecting()
            try await installation.run(
                "finops", "threshold", "set", "--project", "spent", "--daily", "0.000001", "--policy", "block"
            ).expecting()
            let spent = try await installation.issueKey(project: "spent")
            let disabled = try await installation.issueKey(project: "spent")
            try await installation.run("finops", "key", "disable", disabled.id, "--reason", "found in a repository")
                .expecting()
            try await installation.run("finops", "project", "add", "hurried", "--team", "apps").expecting()
            let hurried = try await installation.issueKey(project: "hurried", "--requests-per-minute", "1")
            let said: String
            do {
                said = try await installation.said(
                    by: Self.python,
                    [
                        Self.scripts.appending(path: script).path, gateway.address + path, key.text,
                        installation.address, narrow.text, spent.text, disabled.text, hurried.text,
                    ])
            } catch {
                // The client has said what is wrong; what the programs say of it would be gone with the directory.
                throw Unexpected("\(error)\n\(gateway.up.standardErrorSoFar)")
            }
            let expected = try said.split(separator: "\n").map { try JSONValue.parse(Array($0.utf8)) }
            #expect(expected.count > 3)

            var rows: [JSONValue] = []
            try await eventually("\(expected.count) calls are on record, not \(rows.count): \(rows)") {
                rows = try await installation.calls().filter { $0["project"]?.string == "chatbot" }
                return rows.count >= expected.count
            }
            #expect(Self.tally(rows.map(Self.line(ofRow:))) == Self.tally(expected.map(Self.line(ofExpected:))))
            #expect(rows.allSatisfy { $0["key"]?.string == key.id })
            check(rows)
            try await gateway.stop()
            // The applications' key is nowhere but where its command printed it, the provider's nowhere but in the vault, encrypted.
            #expect(try installation.filesHolding(key.text).filter { !$0.hasPrefix("scratch/finops-") } == [])
            #expect(try installation.filesHolding(upstreamKey).filter { !$0.hasSuffix("upstream-key") } == [])
        }
    }

    private static func tally(_ lines: [String]) -> [String: Int] {
        lines.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    private static func line(ofExpected attempt: JSONValue) -> String {
        let isEstimated = attempt["estimated"]?.bool == true
        return line(attempt, isEstimated ? nil : ["input", "output"].map { attempt[$0]?.integer ?? 0 })
    }

    private static func line(ofRow row: JSONValue) -> String {
        func tokens(_ classes: String...) -> Int64 { classes.reduce(0) { $0 + (row["\($1)_tokens"]?.integer ?? 0) } }
        let input = tokens("uncached_input", "cached_input", "cache_write", "audio_input", "image_input")
        let output = tokens("output", "audio_output", "image_output")
        return line(row, row["usage_estimated"]?.string == nil ? [input, output] : nil)
    }

    /// - Parameter figures: nil: the gateway counted for itself.
    private static func line(_ attempt: JSONValue, _ figures: [Int64]?) -> String {
        let words = ["route", "model", "ended"].map { attempt[$0]?.string ?? "" }.joined(separator: " ")
        return words + " " + (figures.map { "\($0)" } ?? "estimated")
    }
}

/// A gateway that runs, with all that it needs.
struct RunningGateway: Sendable {
    let up: RunningProgram
    /// `http://127.0.0.1:…`
    let address: String

    func stop() async throws {
        up.send(SIGTERM)
        try await up.wait().expecting()
    }
}

extension Installation {
    /// Initialises the directory, makes team and project `chatbot`, sets the sandbox as upstream, and starts everything.
    func openGateway(provider: String = "openai", upstreamKey: String = "sk-proj-upstream") async throws
        -> RunningGateway
    {
        try await run("finops", "init").expecting()
        try await run("finops", "team", "add", "apps").expecting()
        try await run("finops", "project", "add", "chatbot", "--team", "apps").expecting()
        let file = root.appending(path: "upstream-key")
        try Data(upstreamKey.utf8).write(to: file)
        try await run(
            "finops", "upstream", "set", provider, "--name", "main", "--base-url", address, "--key-file", file.path
        ).expecting()
        let up = try start("finops", ["up"])
        return RunningGateway(up: up, address: try await gatewayAddress(up))
    }

    /// Where the gateway listens, once it does.
    func gatewayAddress(_ up: RunningProgram) async throws -> String {
        var address: String?
        try await eventually("the gateway listens: \(up.standardErrorSoFar)") {
            guard !up.hasEnded else { throw Unexpected("finops up ended: \(up.standardErrorSoFar)") }
            let status = try await run("finops", "status", "--json").json()
            let processes = status["processes"]?.array ?? []
            address = processes.first { $0["name"]?.string == "gateway" }?["listen"]?.string
            return address != nil
        }
        return try #require(address)
    }

    /// A new key of a project: its id, and the text that only the application has.
    func issueKey(project: String, _ arguments: String...) async throws -> (id: String, text: String) {
        let issued = try await run(
            "finops", arguments: ["key", "issue", "--project", project, "--json"] + arguments
        ).expecting().json()
        return (try #require(issued["id"]?.string), try #require(issued["key"]?.string))
    }

    /// What `reporter calls` shows of the last hour.
    func calls() async throws -> [JSONValue] {
        try await run("reporter", "calls", "--last", "1h", "--json").expecting().json()["calls"]?.array ?? []
    }
}
