import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import TestSupport
import Testing

/// The administration commands, typed as a person types them.
@Suite struct AdministrationCommandTests {
    private func changed(_ installation: Installation, _ arguments: String...) async throws -> Bool? {
        try await installation.run("finops", arguments: arguments + ["--json"]).expecting().json()["changed"]?.bool
    }

    private func log(of installation: Installation) -> SQLiteEventReader {
        SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
    }

    @Test func theSameCommandAgainChangesNothing() async throws {
        try await Installation.with { installation in
            let key = installation.root.appending(path: "key").path
            let commands: [[String]] = [
                ["init"],
                ["connect", "openai", "--name", "acme", "--base-url", installation.address, "--key-file", key],
                ["team", "add", "검색", "--owner", "홍길동", "--reason", "first"],
                ["project", "add", "chat", "--team", "검색"],
                ["key", "map", "--provider", "openai", "--provider-key-id", "key_1", "--project", "chat"],
                [
                    "project", "map", "--provider", "openai", "--provider-project-id", "proj_1", "--project", "chat",
                    "--from", "2026-11-01",
                ],
                ["vault", "put", "smtp", "--file", key],
            ]
            for command in commands {
                let first = try await installation.run("finops", arguments: command + ["--json"]).expecting()
                #expect(try first.json()["changed"] == true, "\(command)")
            }
            let head = try await log(of: installation).head()
            for command in commands {
                let second = try await installation.run("finops", arguments: command + ["--json"]).expecting()
                #expect(try second.json()["changed"] == false, "\(command)")
            }
            #expect(try await log(of: installation).head() == head)
            try await everyEventNamesTheOperator(installation)
            #expect(try installation.filesHolding("CANARY").isEmpty)
            #expect(try installation.filesHolding("홍길동").filter { !$0.hasPrefix("scratch") }.isEmpty)
        }
    }

    /// By an opaque id that the vault knows.
    private func everyEventNamesTheOperator(_ installation: Installation) async throws {
        let people = try await installation.run("finops", "person", "list", "--json").expecting().json().array ?? []
        let ids = people.compactMap { $0["id"]?.string }
        let page = try await log(of: installation).read(after: .start, limit: EventLimits.readEvents, types: nil)
        let byPeople = page.events.filter { $0.producer.text.hasPrefix("finops-") }
        #expect(!byPeople.isEmpty)
        #expect(byPeople.allSatisfy { ids.contains($0.event.actor) })
    }

    @Test func aRefusalNamesTheFieldAndTheRemedyAndNotTheSecret() async throws {
        try await Installation.with { installation in
            let before = try await installation.run("finops", "team", "list").expecting(1)
            #expect(before.standardError.contains("finops init"))
            try await installation.run("finops", "init").expecting()
            let prices = installation.root.appending(path: "bad.json").path
            try #"{"models":[{"provider":"p","model":"m","prices":[{"input":"-1"}]}]}"#
                .write(toFile: prices, atomically: true, encoding: .utf8)
            let mapping = ["--provider", "openai", "--provider-key-id", "key_1"]
            let refusals: [(arguments: [String], status: Int32, words: String)] = [
                (["project", "add", "x", "--team", "nobody"], 1, "finops team add"),
                (["team", "add", "a\tb"], 64, "team: it has the invisible character U+9"),
                (
                    [
                        "key", "map", "--provider", "openai", "--provider-key-id", Installation.adminKey, "--project",
                        "x",
                    ],
                    64, "--provider-key-id: this looks like a key itself"
                ),
                (
                    [
                        "connect", "openai", "--name", "acme", "--key-file", "/nowhere", "--base-url",
                        "https://me:\(Installation.adminKey)@x/",
                    ], 64, "--base-url: it holds a user or a password"
                ),
                (["connect", "openai", "--name", "acme", "--key-file", "/nowhere"], 64, "--key-file: cannot read"),
                (["connect", "remove", "openai", "--name", "acme"], 1, "finops connect list"),
                (["connect", "openai", "--name", "acme", "--key-file", "-"], 64, "standard input holds no secret"),
                (["vault", "put", "smtp", "--file", "/nowhere"], 64, "--file: cannot read"),
                (
                    ["vault", "put", "a\tb", "--file", installation.root.appending(path: "key").path], 1,
                    "id has 1 to 64"
                ),
                (["price", "import", "/nowhere"], 64, "cannot read /nowhere: No such file"),
                (["price", "import", "/"], 64, "cannot read /: it is not a file"),
                (["price", "import", prices], 1, "models[0] (m), prices[0], \"input\" is \"-1\"; write a decimal"),
                (["key", "map"] + mapping + ["--project", "x", "--from", "2026-02-30"], 64, "YYYY-MM-DD"),
                (["key", "map"] + mapping + ["--project", "x"], 1, "finops project add"),
                (
                    ["key", "map", "--provider", "opnai", "--provider-key-id", "key_1", "--project", "x"], 64,
                    "'opnai' is invalid for '--provider"
                ),
                (
                    ["key", "map", "--provider", "openai", "--provider-key-id", "a b", "--project", "x"], 64,
                    "--provider-key-id: an id has"
                ),
                (["team", "add", "x", "--budget", "12,50"], 64, "--budget is not an amount"),
                (["dead-letters", "skip", "--stage", "projector", "--position", "1"], 64, "--reason is missing"),
                (["dead-letters", "retry", "--stage", "attributor", "--position", "1"], 1, "finops dead-letters list"),
            ]
            for refusal in refusals {
                let result = try await installation.run("finops", arguments: refusal.arguments)
                #expect(result.status == refusal.status, "\(refusal.words): \(result.standardError)")
                #expect(result.standardError.contains(refusal.words), "\(result.standardError)")
                #expect(!(result.standardError + result.standardOutput).contains("CANARY"))
            }
        }
    }

    @Test func anotherKeyReplacesTheOldOneAndRemovingForgetsIt() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let other = installation.root.appending(path: "key2")
            try Data("sk-admin-CANARY-another-key-0000wxyz\n".utf8).write(to: other)
            #expect(
                try await changed(installation, "connect", "openai", "--name", "acme", "--key-file", other.path) == true
            )
            let listed = try await installation.run("finops", "connect", "list", "--json").expecting().json()
            // What was not said again stays as it was.
            #expect(listed.array?.first?["base_url"]?.string == installation.address + "/v1")
            #expect(listed.array?.first?["key"] == "sk-admin-…wxyz")
            try FileManager.default.removeItem(at: other)
            #expect(try await changed(installation, "connect", "remove", "openai", "--name", "acme") == true)
            #expect(try await installation.run("finops", "connect", "list", "--json").json() == [])
            let vault = try await installation.run("finops", "vault", "list", "--json").expecting().json()
            #expect(vault.array?.contains { $0["id"] == "openai-acme" } == false)
            #expect(try installation.filesHolding("CANARY").isEmpty)
        }
    }

    @Test func anImportedPricePricesWhatHadNone() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let row = usageRow(model: "house-model") { $0.inputTokens = 1_000_000 }
            try await collect([row], in: installation)
            let prices = installation.root.appending(path: "prices.json")
            try Data(
                """
                {"as_of":"2026-11-21","models":[{"provider":"openai","model":"house-model",
                 "prices":[{"from":null,"input":"0.25","output":"1"}]}]}
                """.utf8
            ).write(to: prices)
            let answer = try await installation.run("finops", "price", "import", prices.path, "--json").expecting()
                .json()
            #expect(answer["models"] == ["openai/house-model"])
            #expect(answer["repriced_rows"] == 1)
            let state = UsageDay.fold(
                try await log(of: installation).readAll(stream: .usage(account: "acme", day: day("2026-11-20")))
                    .compactMap { try EventCatalogue.decode($0.event) })
            #expect(state.cells.values.map(\.row.cost.nanos) == [250_000_000])
            let again = try await installation.run("finops", "price", "import", prices.path, "--json").expecting()
                .json()
            #expect(again["changed"] == false)
        }
    }

    /// Appends what a collector would, with the prices of today.
    private func collect(_ rows: [WireUsageRow], in installation: Installation) async throws {
        let observation = UsageObservation(
            provider: "openai", account: "acme", observed: Timestamp(seconds: hour("2026-11-21", 0)), rows: rows,
            covered: Set(rows.map { UsageBucket($0) }))
        let events = try UsageDay.decide(.observe(observation, .seed), UsageDay.initialState)
        let appends = UsageDay.appends(
            events, account: "acme", day: day("2026-11-20"), expected: .none, occurred: observation.observed)
        try await LogSession.withLog(StateDirectory(path: installation.directory)) { store in
            let session = try await store.openSession("collector")
            _ = try await store.append(AppendRequest(session: session, sequence: 1, appends))
        }
    }

    @Test func aBackupIsPutBackWholeOrNotAtAll() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let backup = installation.root.appending(path: "backup.tar.gz").path
            let folder = installation.root.appending(path: "backup").path
            let made = try await installation.run("finops", "backup", backup, "--include-keys", "--json").expecting()
                .json()
            #expect(made["includes_keys"] == true)
            let mode = try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(try Data(contentsOf: URL(filePath: backup)).prefix(2) == Data([0x1F, 0x8B]))
            let beside = try FileManager.default.contentsOfDirectory(atPath: installation.root.path)
            #expect(!beside.contains { $0.contains(".partial") })
            try await installation.run("finops", "backup", folder).expecting()
            #expect(!FileManager.default.fileExists(atPath: folder + "/keys"))
            try await installation.run("finops", "backup", folder).expecting(1)
            // Where there are events already, nothing is put back.
            try await installation.run("finops", "restore", folder).expecting(1)

            var second = installation
            second.stateName = "second"
            try await second.run("finops", "restore", backup).expecting()
            let connections = try await second.run("finops", "connect", "list", "--json").expecting().json()
            #expect(connections == (try await installation.run("finops", "connect", "list", "--json").json()))
            try await second.run("finops", "vault", "list").expecting()
            #expect(try await log(of: second).head() == log(of: installation).head())

            let file = URL(filePath: folder + "/log/events.db")
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: file)
            var third = installation
            third.stateName = "third"
            let refused = try await third.run("finops", "restore", folder).expecting(3)
            #expect(refused.standardError.contains("log/events.db is not what was backed up"))
        }
    }
}
