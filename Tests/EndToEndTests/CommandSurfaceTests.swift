import Foundation
import JSON
import Runtime
import Testing

/// The commands of the README as they are typed: for people and for machines, with and without a running pipeline.
@Suite(.serialized) struct CommandSurfaceTests {
    private static let day = "2026-11-10"

    private func text(_ installation: Installation, _ command: String) async throws -> ProgramResult {
        let words = command.split(separator: " ").map(String.init)
        return try await installation.run(words[0], arguments: Array(words.dropFirst())).expecting()
    }

    private func json(_ installation: Installation, _ command: String) async throws -> JSONValue {
        try await text(installation, command + " --json").json()
    }

    @Test(arguments: [false, true])
    func everyCommandAnswersPeopleAndMachines(_ isRunning: Bool) async throws {
        try await Installation.with { installation in
            #expect(try await json(installation, "finops init")["changed"] == true)
            let up = isRunning ? try installation.start("finops", ["up"]) : nil
            if isRunning { try await installation.allReady() }
            try await administer(installation)
            try await collectAndReport(installation)
            try await inspect(installation, isRunning: isRunning)
            up?.send(SIGTERM)
            try await up?.wait(limit: .seconds(20)).expecting()
        }
    }

    /// What changes something says so once, in a sentence or as an object; again it says that nothing changed.
    private func administer(_ installation: Installation) async throws {
        let key = installation.root.appending(path: "key").path
        let prices = installation.root.appending(path: "prices.json").path
        try #"{"models":[{"provider":"openai","model":"mine","prices":[{"input":"1","output":"2"}]}]}"#
            .write(toFile: prices, atomically: true, encoding: .utf8)
        let webhook = installation.root.appending(path: "webhook").path
        try "http://127.0.0.1:9/services/CANARY".write(toFile: webhook, atomically: true, encoding: .utf8)
        defer { unlink(webhook) }
        let commands = [
            "finops connect openai --name acme --base-url \(installation.address) --key-file \(key)",
            "finops channel set slack --url-file \(webhook)",
            "finops channel schedule slack --quiet-hours 22:00-08:00 --digest 09:00",
            "finops team add search", "finops project add chat --team search",
            "finops project add draw --team search",
            "finops key map --provider openai --provider-key-id key_1 --project chat",
            "finops project map --provider openai --provider-project-id proj_1 --project draw --from 2026-11-01",
            "finops price import \(prices)", "finops vault put smtp --file \(key) --reason mail",
            "finops threshold set --project chat --daily 10.00 --weekly 50.00 --levels 80,100 --zone Asia/Seoul",
            "finops threshold set --organisation --daily 100",
        ]
        for (index, command) in commands.enumerated() {
            if index.isMultiple(of: 2) {
                let said = try await text(installation, command)
                #expect(!said.standardError.isEmpty && said.standardOutput.isEmpty, "\(command)")
            } else {
                #expect(try await json(installation, command)["changed"] == true, "\(command)")
            }
            #expect(try await json(installation, command)["changed"] == false, "\(command)")
            #expect(try await text(installation, command).standardError.contains("no change: "), "\(command)")
        }
    }

    private func collectAndReport(_ installation: Installation) async throws {
        let days = "--from \(Self.day) --to \(Self.day)"
        _ = try await text(installation, "ingest-openai backfill \(days)")
        // A pipeline that runs takes the events in when it comes to it: an answer says how far it is.
        var costs: JSONValue = .null
        try await eventually("the costs are taken in, not \(costs.text)") {
            costs = try await json(installation, "reporter costs --by team,model \(days)")
            return costs["rows"]?.array?.isEmpty == false
        }
        #expect(costs["as_of"]?["position"]?.integer != nil)
        for command in [
            "reporter costs --by team,model \(days)", "reporter costs --by day,key \(days) --csv", "reporter summary",
            "reporter runs", "reporter recent", "reporter audit", "reporter unattributed", "reporter alerts",
            "reporter notifications", "reporter calls", "reporter kills", "reporter corrections",
        ] {
            #expect(!(try await text(installation, command).standardOutput.isEmpty), "\(command)")
        }
        for command in [
            "reporter runs", "reporter summary", "reporter audit", "reporter alerts", "reporter notifications",
            "reporter calls", "reporter kills", "reporter corrections",
        ] {
            #expect(try await json(installation, command)["as_of"] != nil, "\(command)")
        }
    }

    private func inspect(_ installation: Installation, isRunning: Bool) async throws {
        for command in [
            "finops team list", "finops project list", "finops key list", "finops connect list", "finops price list",
            "finops price pending",
            "finops vault list", "finops channel list", "finops alert list", "finops person list",
            "finops dead-letters list", "finops pipeline graph",
            "finops pipeline check", "finops config show", "finops config check", "finops doctor", "event-log ls",
            "event-log stats", "event-log verify",
        ] {
            let said = try await text(installation, command)
            #expect(!said.standardOutput.isEmpty, "\(command)")
            let answer = try await json(installation, command)
            #expect(answer.array != nil || answer.members != nil, "\(command)")
        }
        let status = try await json(installation, "finops status")
        let states = Set((status["processes"]?.array ?? []).compactMap { $0["state"]?.string })
        #expect(isRunning ? states == ["ready"] : !states.contains("ready"))
        #expect(try await json(installation, "event-log verify")["ok"] == true)
        let export = try await text(installation, "event-log export --format cloudevents")
        let lines = export.standardOutput.split(separator: "\n")
        #expect(Int64(lines.count) == status["head"]?.integer)
        #expect(try lines.allSatisfy { try JSONValue.parse(String($0))["specversion"] == "1.0" })
        #expect(!export.standardOutput.contains("CANARY"))
        let first = try await json(installation, "projector rebuild")
        #expect(try await json(installation, "projector rebuild")["digest"] == first["digest"])
    }

    @Test func aChangeOfTheVaultAndAUseOfItAreInTheAuditWithoutTheValue() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let key = installation.root.appending(path: "key").path
            _ = try await text(installation, "finops vault put smtp --file \(key) --reason mail")
            _ = try await text(installation, "finops vault put smtp --file \(key) --reason again")
            _ = try await text(installation, "finops vault rm smtp --reason gone")
            _ = try await text(installation, "finops vault rm smtp --reason again")
            _ = try await text(installation, "ingest-openai check")
            let people = try await json(installation, "finops person list")
            let me = try #require(people.array?.first?["id"]?.string)
            let audit = try await json(installation, "reporter audit --limit 100")
            let entries = (audit["audit"]?.array ?? []).filter { $0["action"]?.string?.hasPrefix("secret.") == true }
            let told = entries.reversed().map { entry in
                ["action", "subject", "reason"].compactMap { entry[$0]?.string }.joined(separator: " ")
            }
            #expect(
                told == [
                    "secret.stored openai-acme ", "secret.stored smtp mail", "secret.removed smtp gone",
                    "secret.used openai-acme ",
                ])
            #expect(entries.filter { $0["action"] != "secret.used" }.allSatisfy { $0["actor"]?.string == me })
            #expect(entries.first?["detail"]?.string == "version 1 by ingest-openai for openai/acme")
            #expect(try installation.filesHolding("CANARY").isEmpty)
        }
    }

    @Test func theDoctorNamesWhatIsMissingAndTheCommandThatMendsIt() async throws {
        try await Installation.with { installation in
            func problems() async throws -> [String: String] {
                let said = try await installation.run("finops", "doctor", "--json")
                let checks = try said.json()["checks"]?.array ?? []
                let found = checks.filter { $0["ok"] == false }.compactMap { check in
                    check["check"]?.string.map { ($0, check["remedy"]?.string ?? "") }
                }
                #expect(said.status == (found.isEmpty ? 0 : 3))
                return Dictionary(uniqueKeysWithValues: found)
            }
            #expect(try await problems() == ["state directory": "finops init --dir \(installation.directory)"])
            _ = try await text(installation, "finops init")
            let missing = try await problems()
            #expect(Set(missing.keys) == ["connections", "mappings"])
            #expect(missing["connections"]?.hasPrefix("finops connect openai --name NAME --key-file FILE") == true)
            #expect(missing["mappings"]?.hasPrefix("finops key map") == true)
            try await installation.connect()
            _ = try await text(installation, "finops team add search")
            _ = try await text(installation, "finops project add chat --team search")
            _ = try await text(
                installation, "finops key map --provider openai --provider-key-id key_1 --project chat")
            #expect(try await problems().isEmpty)

            // A directory of an earlier version knows nothing of programs that came later.
            let pipeline = installation.directory + "/pipeline.yaml"
            try Self.earlierPipeline.write(toFile: pipeline, atomically: true, encoding: .utf8)
            chmod(pipeline, 0o600)
            #expect(
                try await problems() == [
                    "programs of the pipeline":
                        "mv \(pipeline) \(pipeline).before && finops init --dir \(installation.directory), carry over what "
                        + "`diff \(pipeline).before \(pipeline)` shows to be yours, then start finops up again"
                ])
            let told = try await installation.run("finops", "doctor").expecting(3)
            #expect(told.standardOutput.contains("it does not run threshold-watcher, notifier, gateway\n"))
            let up = try installation.start("finops", ["up"])
            try await eventually("it warns") {
                up.standardErrorSoFar.contains("does not run threshold-watcher, notifier, gateway")
            }
            up.send(SIGTERM)
            _ = await up.wait(limit: .seconds(20))
            // The remedy, word for word.
            try FileManager.default.moveItem(atPath: pipeline, toPath: pipeline + ".before")
            _ = try await text(installation, "finops init")
            #expect(try await problems().isEmpty)

            // A new master key would not open what the vault holds.
            let masterKey = installation.directory + "/keys/master.key"
            try FileManager.default.moveItem(atPath: masterKey, toPath: masterKey + ".away")
            #expect(try await problems()["master key"]?.hasPrefix("put the saved key back") == true)
            let refused = try await installation.run("finops", "init").expecting(1)
            #expect(refused.standardError.contains("put the key back"))
            try FileManager.default.moveItem(atPath: masterKey + ".away", toPath: masterKey)
            chmod(masterKey, 0o644)
            #expect(try await problems()["state directory"]?.hasPrefix("finops init") == true)
            _ = try await text(installation, "finops init")
        }
    }

    /// As `finops init` wrote it before there were alerts, shortened.
    private static let earlierPipeline = """
        version: 1
        name: default
        endpoints: { log-requests: ipc, log-events: ipc }
        stores: { log: { owner: event-log }, projections: { owner: projector } }
        processes:
          - { name: event-log, command: [event-log, serve], binds: [log-requests, log-events] }
          - { name: attributor, command: [attributor, run], after: [event-log] }
          - { name: projector, command: [projector, run], after: [event-log] }
          - { name: ingest-openai, command: [ingest-openai, run], after: [event-log] }

        """

    @Test func aLimitThatAnotherCurrencyDisarmsIsToldOfByTheDoctorAndTheWatcher() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            _ = try await text(installation, "finops team add search")
            _ = try await text(installation, "finops project add chat --team search")
            _ = try await text(installation, "finops threshold set --project chat --daily 10.00 --zone Asia/Seoul")
            func finding() async throws -> JSONValue? {
                let checks = try await installation.run("finops", "doctor", "--json").json()["checks"]?.array ?? []
                return checks.first { $0["check"]?.string == "currency of limits" }
            }
            #expect(try await finding()?["ok"] == true)
            let path = installation.directory + "/config.yaml"
            try "currency: EUR\n".write(toFile: path, atomically: true, encoding: .utf8)
            let found = try await finding()
            #expect(
                found?["problem"]?.string
                    == "the limit of project \"chat\" is in USD, and config.yaml has currency: EUR, so it is not watched"
            )
            #expect(
                found?["remedy"]?.string
                    == "set it again in EUR with finops threshold set --project chat, or put currency: USD back into "
                    + "config.yaml")
            let watcher = try await installation.run("threshold-watcher", "catch-up").expecting(0)
            #expect(watcher.standardError.contains("limit not watched"))
            #expect(watcher.standardError.contains("project/chat"))
        }
    }

    @Test func theDoctorFindsWhatIsThereButDamaged() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let state = StateDirectory(path: installation.directory)
            func remedy(_ check: String) async throws -> String? {
                let checks = try await installation.run("finops", "doctor", "--json").expecting(3).json()["checks"]
                return checks?.array?.first { $0["check"]?.string == check }?["remedy"]?.string
            }
            func whileHolding(_ bytes: Data?, in path: String, _ body: () async throws -> Void) async throws {
                let file = URL(filePath: path)
                let saved = try Data(contentsOf: file)
                if let bytes { try bytes.write(to: file) } else { try FileManager.default.removeItem(at: file) }
                chmod(path, 0o600)
                try await body()
                try saved.write(to: file)
                chmod(path, 0o600)
            }
            for check in ["vault", "log", "projections", "configuration"] {
                #expect(try await remedy(check) == nil, "\(check)")
            }
            try await whileHolding(Data(repeating: 7, count: 32), in: state.masterKey) {
                let told = try await remedy("vault")
                #expect(told?.hasPrefix("put the saved key back") == true)
            }
            try await whileHolding(Data("garbage".utf8), in: state.vault + "/openai-acme.secret.json") {
                let told = try await remedy("vault")
                #expect(told?.hasPrefix("finops restore") == true)
            }
            try await whileHolding(nil, in: state.logDirectory + "/witness") {
                let told = try await remedy("log")
                #expect(told?.contains("--accept-truncation") == true)
            }
            let generation =
                state.projectionsDirectory
                + "/" + (try FileManager.default.destinationOfSymbolicLink(atPath: state.currentProjection))
            // What is written ahead would stand before the damage.
            for ending in ["-wal", "-shm"] { unlink(generation + ending) }
            try await whileHolding(Data(repeating: 0x5A, count: 1 << 16), in: generation) {
                let told = try await remedy("projections")
                #expect(told == "projector rebuild --dir \(state.path)")
            }
            // Calls may lie there that nobody has counted: that nobody can look is not the same as that there are none.
            try FileManager.default.removeItem(atPath: state.spool)
            try Data().write(to: URL(filePath: state.spool))
            chmod(state.spool, 0o600)
            #expect(try await remedy("spool")?.contains(state.spool) == true)
            unlink(state.spool)
            // What cannot be read is told of once.
            try "zone: [".write(toFile: state.configuration, atomically: true, encoding: .utf8)
            #expect(try await remedy("configuration")?.hasPrefix("edit") == true)
            #expect(try await remedy("pipeline") == nil)
        }
    }
}
