import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// The provider's side of keys, with the real programs and the sandbox as the provider.
@Suite(.serialized) struct ProviderKeyTests {
    /// Every key that the sandbox makes begins so; whoever finds it in a file has found a secret.
    private static let secret = "sk-svcacct-sandbox"

    @Test func aProvisionedKeyWorksUntilAnEmergencyStopsItAtTheProvider() async throws {
        try await Installation.with { installation in
            let bench = try await ProviderBench(installation)
            defer { bench.log.send(SIGKILL) }
            let made = try await bench.json("project provision chat --account acme --reason own")
            #expect(made["changed"] == true && made["key"]?.string?.hasPrefix("sk-svcacct-…") == true)
            #expect(try await bench.json("project provision chat --account acme")["changed"] == false)
            let upstream = try #require(try await bench.json("upstream list").array?.first)
            #expect(upstream["project"] == "chat" && upstream["account"] == "acme")
            #expect(upstream["provider_key_id"] == made["provider_key_id"] && made["provider_key_id"]?.string != nil)

            let removal = try await installation.run("finops", "upstream", "rm", "chat")
            #expect(try removal.expecting(64).standardError.contains("project deprovision"))

            let gateway = try installation.start("gateway", ["run"])
            defer { gateway.send(SIGKILL) }
            let issued = try await bench.json("key issue --project chat")
            let port = try await gateway.listeningPort()
            let client = GatewayClient(port: port, key: try #require(issued["key"]?.string))
            _ = try await client.firstAnswer(gateway)
            let call = try #require(try await installation.recordedCalls(atLeast: 1).first)
            #expect(call.providerKeyID == made["provider_key_id"]?.string && call.upstream == "chat")

            let id = try #require(issued["id"]?.string)
            let drill = try await bench.json("key disable \(id) --reason rehearsal --emergency --drill")
            #expect(drill["complete"] == true && ProviderBench.outcomes(drill) == ["rehearsed", "rehearsed"])
            #expect(client.ask()?.status == 200)

            let stopped = try await bench.json("key disable \(id) --reason leaked --emergency")
            #expect(stopped["complete"] == true && ProviderBench.outcomes(stopped) == ["done", "done"])
            #expect(client.ask()?.status == 403)
            // A key that nobody disabled meets the provider itself.
            let second = try await bench.json("key issue --project chat")
            let other = GatewayClient(port: port, key: try #require(second["key"]?.string))
            try await eventually("the provider refuses") { other.ask()?.status == 401 }
            try await bench.expectEvidence(of: id)
            let refused = try await installation.run("finops", "project", "provision", "chat", "--account", "acme")
            #expect(try refused.expecting(1).standardError.contains("finops project deprovision"))
            gateway.send(SIGTERM)
            _ = await gateway.wait()
            #expect(try installation.filesHolding(Self.secret) == [])
            #expect(try installation.filesHolding(Installation.adminKey) == [])
        }
    }

    /// Died with the deed done and the answer on its way: of the project, then of the service account.
    @Test(arguments: ["createProject", "createAccount"])
    func aProvisionThatWasKilledIsFinishedByTheSameCommand(_ moment: String) async throws {
        try await Installation.with { installation in
            let bench = try await ProviderBench(installation)
            defer { bench.log.send(SIGKILL) }
            // The question before each deed has the same path.
            let path = moment == "createProject" ? "/v1/organization/projects" : "/service_accounts"
            try await bench.fault(["kind": "slow", "path": .string(path), "delay_ms": 1])
            try await bench.fault(["kind": "timeout", "path": .string(path)])
            let killed = try installation.start("finops", ["project", "provision", "chat", "--account", "acme"])
            try await eventually("the deed is done: \(killed.standardErrorSoFar)") {
                try await bench.requests().contains { $0["method"] == "POST" && $0["fault"] == "timeout" }
            }
            killed.send(SIGKILL)
            _ = await killed.wait()
            let doctor = try await installation.run("finops", "doctor")
            #expect(doctor.standardOutput.contains("\"chat\" is not wholly made"))
            let made = try await bench.json("project provision chat --account acme")
            let name = try #require(made["provider_name"]?.string)
            let projects = try await installation.get("/v1/organization/projects?limit=100")
            #expect(projects["data"]?.array?.filter { $0["name"]?.string == name }.count == 1)
            let project = try #require(made["provider_project_id"]?.string)
            let accounts = try await installation.get("/v1/organization/projects/\(project)/service_accounts")
            #expect(accounts["data"]?.array?.map { $0["id"] } == [made["service_account_id"]])
            let keys = try await installation.get("/v1/organization/projects/\(project)/api_keys")
            #expect(keys["data"]?.array?.map { $0["id"] } == [made["provider_key_id"]])
            let types = try await bench.types(.provision("chat"))
            #expect(types.contains("provision.account-deleted") == (moment == "createAccount"))
            #expect(try installation.filesHolding(Self.secret) == [])

            try await bench.callIsAnswered()
            let asked = try await installation.run("finops", "project", "deprovision", "--upstream", "chat")
            #expect(try asked.expecting(64).standardError.contains("--yes"))
            _ = try await bench.json("project deprovision --upstream chat --yes --reason over")
            let after = try await installation.get("/v1/organization/projects/\(project)")
            #expect(after["status"] == "archived")
            #expect(try await bench.json("upstream list").array?.isEmpty == true)
            #expect(try await bench.json("vault list").array?.contains { $0["purpose"] == "upstream-key" } == false)
            #expect(try await bench.json("project deprovision --upstream chat --yes")["changed"] == false)
        }
    }

    @Test func anEmergencyThatWasKilledOrRefusedGoesOnWithWhatIsNotDone() async throws {
        try await Installation.with { installation in
            let bench = try await ProviderBench(installation)
            defer { bench.log.send(SIGKILL) }
            _ = try await bench.json("project provision chat --account acme")
            let id = try #require(try await bench.json("key issue --project chat")["id"]?.string)
            let words = ["key", "disable", id, "--reason", "leaked", "--emergency", "--json"]
            // Refused first: the other route is taken all the same.
            try await bench.fault(["kind": "403", "path": "/api_keys/"])
            let refused = try await installation.run("finops", arguments: words).expecting(4)
            #expect(ProviderBench.outcomes(try refused.json()) == ["refused", "done"])
            #expect(try refused.json()["steps"]?.array?.first?["detail"]?.string?.contains("Missing scopes") == true)
            // Then killed with the deed done and nobody told.
            try await bench.fault(["kind": "timeout", "path": "/api_keys/"])
            let killed = try installation.start("finops", words)
            try await eventually("the key is deleted: \(killed.standardErrorSoFar)") {
                try await bench.requests().contains { $0["method"] == "DELETE" && $0["fault"] == "timeout" }
            }
            killed.send(SIGKILL)
            _ = await killed.wait()
            let last = try await installation.run("finops", arguments: words).expecting().json()
            #expect(last["steps"]?.array?.first?["detail"]?.string?.contains("gone already") == true)
            let asked = try await bench.requests().count
            #expect(try await installation.run("finops", arguments: words).expecting().json()["changed"] == false)
            let since = try await bench.requests().dropFirst(asked)
            #expect(since.allSatisfy { $0["method"] == "GET" })

            let step = try #require(try await bench.kill(of: id)["steps"]?.array?.first)
            #expect(step["outcome"] == "done" && step["attempts"] == 3)
            #expect(
                try await bench.types(.key(id)).filter { $0.hasPrefix("key.emergency") } == [
                    "key.emergency-step-started", "key.emergency-step-ended", "key.emergency-step-started",
                    "key.emergency-step-ended", "key.emergency-step-started", "key.emergency-step-started",
                    "key.emergency-step-ended",
                ])
        }
    }

    @Test func slowAnswersLostAnswersAndOldContractsStillEndInAStoppedKey() async throws {
        try await Installation.with { installation in
            let bench = try await ProviderBench(installation)
            defer { bench.log.send(SIGKILL) }
            // A lost answer, an error after the deed, and a wish for patience.
            try await bench.fault(["kind": "slow", "path": "/v1/organization/projects", "delay_ms": 1])
            try await bench.fault(["kind": "cut", "path": "/v1/organization/projects"])
            try await bench.fault(["kind": "slow", "path": "/service_accounts", "delay_ms": 1])
            try await bench.fault(["kind": "500", "path": "/service_accounts", "kept": true])
            try await bench.fault(["kind": "429", "path": "/service_accounts", "retry_after": 1])
            let made = try await bench.json("project provision chat --account acme")
            let project = try #require(made["provider_project_id"]?.string)
            let keys = try await installation.get("/v1/organization/projects/\(project)/api_keys")
            #expect(keys["data"]?.array?.map { $0["id"] } == [made["provider_key_id"]])

            let id = try #require(try await bench.json("key issue --project chat")["id"]?.string)
            try await bench.fault(["kind": "reply", "path": "/api_keys/", "code": 400, "text": "{\"code\":400}"])
            // Asked for when it is read, and when it is set.
            try await bench.fault(["kind": "404", "path": "/spend_limit", "times": 2])
            let stopped = try await bench.json("key disable \(id) --reason leaked --emergency")
            let details = (stopped["steps"]?.array ?? []).compactMap { $0["detail"]?.string }
            #expect(details.count == 2 && details[0].contains("deleted service account"))
            #expect(details.last?.contains("does not cap it") == true)
            let limits = try await installation.get("/v1/organization/projects/\(project)/rate_limits")
            #expect(limits["data"]?.array?.allSatisfy { $0["max_requests_per_1_minute"] == 1 } == true)
            let before = stopped["steps"]?.array?.last?["before"]?.string
            #expect(before == "spend_limit=none gpt-4o=500/30000 gpt-4o-mini=600/150000")
        }
    }

    @Test func aSharedKeyIsDeletedOnlyWhenThatIsConfirmed() async throws {
        try await Installation.with { installation in
            let bench = try await ProviderBench(installation)
            defer { bench.log.send(SIGKILL) }
            let file = installation.root.appending(path: "upstream").path
            try "sk-proj-CANARY-4d1f7a92c3b85e60".write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await bench.json(
                """
                upstream set openai --name main --base-url \(installation.address) --key-file \(file) --account acme \
                --provider-key-id key_support_chat --provider-project-id proj_support
                """)
            let id = try #require(try await bench.json("key issue --project chat")["id"]?.string)
            let other = try #require(try await bench.json("key issue --project lab")["id"]?.string)
            let words = ["key", "disable", id, "--reason", "leaked", "--emergency", "--json"]
            let held = try await installation.run("finops", arguments: words).expecting(1).json()
            #expect(ProviderBench.outcomes(held) == ["skipped", "skipped"])
            let others = (held["others"]?.array ?? []).compactMap(\.string)
            #expect(others.count == 2 && others[0].hasPrefix(other) && others[1].hasPrefix("key_support_digest"))
            #expect(try await bench.requests().allSatisfy { $0["method"] == "GET" })
            #expect(try await bench.kill(of: id)["steps"]?.array?.map { $0["outcome"] } == ["skipped", "skipped"])

            let done = try await installation.run("finops", arguments: words + ["--yes"]).expecting().json()
            #expect(ProviderBench.outcomes(done) == ["done", "done"])
            let keys = try await installation.get("/v1/organization/projects/proj_support/api_keys")
            #expect(keys["data"]?.array?.map { $0["id"] } == ["key_support_digest"])
        }
    }
}

/// An installation with the sandbox connected as `acme`, two projects, and a log that serves.
private struct ProviderBench {
    let installation: Installation
    let log: RunningProgram

    init(_ installation: Installation) async throws {
        self.installation = installation
        try await installation.connect()
        try await installation.run("finops", "team", "add", "apps").expecting()
        for project in ["chat", "lab"] {
            try await installation.run("finops", "project", "add", project, "--team", "apps").expecting()
        }
        log = try await installation.serveLog()
    }

    func json(_ line: String) async throws -> JSONValue {
        let words = line.split(separator: " ").map(String.init) + ["--json"]
        return try await installation.run("finops", arguments: words).expecting().json()
    }

    func fault(_ fault: JSONValue) async throws { _ = try await installation.control("POST", "/sandbox/faults", fault) }

    /// What the provider has been asked about projects by the programs.
    func requests() async throws -> [JSONValue] {
        try await installation.control("GET", "/sandbox/requests").array ?? []
    }

    func types(_ stream: StreamName) async throws -> [String] {
        let files = LogFiles(database: StateDirectory(path: installation.directory).logDatabase)
        return try await SQLiteEventReader(files: files).readAll(stream: stream).map(\.type.text)
    }

    static func outcomes(_ answer: JSONValue) -> [String] {
        (answer["steps"]?.array ?? []).compactMap { $0["outcome"]?.string }
    }

    /// The newest decision about a key.
    func kill(of id: String) async throws -> JSONValue {
        try await catchUp()
        let kills = try await installation.run("reporter", "kills", "--json").expecting().json()
        return try #require(kills["kills"]?.array?.first { $0["key"]?.string == id })
    }

    private func catchUp() async throws {
        try await installation.run("attributor", "catch-up").expecting()
        try await installation.run("projector", "catch-up").expecting()
    }

    func expectEvidence(of id: String) async throws {
        let kill = try await kill(of: id)
        let steps = kill["steps"]?.array ?? []
        #expect(kill["drill"] == false && steps.map { $0["outcome"] } == ["done", "done"])
        #expect(steps.map { $0["step"] } == ["delete-provider-key", "cap-provider-project"])
        #expect(steps.allSatisfy { $0["ended_ms"]?.isNull == false })
        let audit = try await installation.run("reporter", "audit", "--json").expecting().json()
        let entries = audit["audit"]?.array ?? []
        let actions = entries.compactMap { $0["action"]?.string }
        for action in ["provision.started", "provision.account-made", "provision.account-deleted"] {
            #expect(actions.contains(action), "\(action)")
        }
        let tried = entries.filter { $0["action"]?.string?.hasPrefix("key.emergency-step") == true }
        #expect(tried.count { $0["reason"] == "rehearsal" } == 4 && tried.count { $0["reason"] == "leaked" } == 4)
    }

    func callIsAnswered() async throws {
        let gateway = try installation.start("gateway", ["run"])
        defer { gateway.send(SIGKILL) }
        let key = try #require(try await json("key issue --project chat")["key"]?.string)
        _ = try await GatewayClient(port: gateway.listeningPort(), key: key).firstAnswer(gateway)
        gateway.send(SIGTERM)
        _ = await gateway.wait()
    }
}
