import Foundation
import JSON
import Runtime
import Testing

/// Credentials where they belong, and where somebody put them by mistake: nothing that can be read shows one.
@Suite(.serialized) struct SecretCanaryTests {
    /// Every planted credential holds this word.
    private static let word = "CANARY"
    private static let inVault = "sk-vault-CANARY-5b0c77aa91f24e03"
    private static let inConfiguration = "sk-proj-CANARY-c4f1e09d6b3247a8"

    @Test func aPlantedSecretIsNowhereToBeRead() async throws {
        try await Installation.with { installation in
            var installation = installation
            installation.environment = ["FINOPS_LOG_LEVEL": "debug"]
            try await installation.connect()
            try await putIntoVault(installation)
            try await setChannels(installation)
            try await mistakeConfiguration(installation)
            try await provoke(installation)
            try await installation.backfill("2026-11-10", "2026-11-10").expecting()
            try await runPipeline(installation)
            for command in [["audit", "--json"], ["runs", "--json"], ["summary", "--json"]] {
                try await installation.run("reporter", arguments: command).expecting()
            }
            try await installation.run("finops", "vault", "list", "--json").expecting()
            for command in [["connect", "list"], ["channel", "list"], ["alert", "list"], ["dead-letters", "list"]] {
                try await installation.run("finops", arguments: command + ["--json", "-v"]).expecting()
                try await installation.run("finops", arguments: command + ["-v"]).expecting()
            }
            try await installation.run("event-log", "export", "--format", "cloudevents").expecting()
            // Everything that any program has said or written lies below the root.
            for file in try installation.filesHolding(Self.word) { Issue.record("\(file) shows a secret") }
        }
    }

    private func putIntoVault(_ installation: Installation) async throws {
        let file = installation.root.appending(path: "planted")
        try Data(Self.inVault.utf8).write(to: file)
        try await installation.run("finops", "vault", "put", "smtp-password", "--file", file.path).expecting()
        try FileManager.default.removeItem(at: file)
    }

    /// A webhook's URL, a password and addresses, right and malformed.
    private func setChannels(_ installation: Installation) async throws {
        let file = installation.root.appending(path: "planted")
        let mail = ["mail", "--smtp", "smtp://127.0.0.1:9", "--user", "me", "--from", "from.\(Self.word)@example.com"]
        let password = mail + ["--password-file", file.path]
        let commands: [(text: String, arguments: [String], status: Int32)] = [
            ("http://127.0.0.1:9/services/\(Self.word)", ["slack", "--url-file", file.path], 0),
            ("http://example.com/services/\(Self.word)", ["slack", "--url-file", file.path], 64),
            ("pass-\(Self.word)", password + ["--to", "kim.\(Self.word)@example.com,lee.\(Self.word)@x.org:en"], 0),
            ("pass-\(Self.word)", password + ["--to", "kim.\(Self.word)@example.com,lee.\(Self.word)"], 64),
            ("http://\(Self.word)@127.0.0.1:9/42", ["sentry", "--dsn-file", file.path], 0),
        ]
        for command in commands {
            try Data(command.text.utf8).write(to: file)
            try await installation.run(
                "finops", arguments: ["channel", "set"] + command.arguments + ["-v"]
            ).expecting(command.status)
        }
        try FileManager.default.removeItem(at: file)
    }

    /// A key as a value, as a name, and in a file that is no YAML any more.
    private func mistakeConfiguration(_ installation: Installation) async throws {
        let path = installation.directory + "/config.yaml"
        let right = try String(contentsOfFile: path, encoding: .utf8)
        for line in [
            "zone: \(Self.inConfiguration)", "api_key: \(Self.inConfiguration)", "\(Self.inConfiguration): yes",
            "rates: \(Self.inConfiguration)", "daily_time: [\(Self.inConfiguration)", "\(Self.inConfiguration)",
        ] {
            try (line + "\n").write(toFile: path, atomically: true, encoding: .utf8)
            for command in [
                ["finops", "status"], ["finops", "doctor"], ["reporter", "summary"], ["ingest-openai", "check"],
                ["event-log", "serve"],
            ] {
                let result = try await installation.run(command[0], arguments: Array(command.dropFirst()) + ["-v"])
                if command[0] == "reporter" { #expect(result.status != 0, "\(line) was accepted") }
            }
        }
        try right.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// A provider whose refusal repeats the key it was given.
    private func provoke(_ installation: Installation) async throws {
        _ = try await installation.control("POST", "/sandbox/faults", ["kind": "echo", "times": 1_000])
        let checked = try await installation.run("ingest-openai", "check", "-v").expecting(4)
        #expect((checked.standardOutput + checked.standardError).contains("Incorrect API key provided"))
        try await installation.run(
            "ingest-openai", "backfill", "--from", "2026-11-10", "--to", "2026-11-10", "-v", "--json"
        ).expecting(4)
        _ = try await installation.control("DELETE", "/sandbox/faults")
    }

    /// What anybody sees of running programs: command lines, environments, health, metrics; and no core would be written.
    private func runPipeline(_ installation: Installation) async throws {
        let up = try installation.start("finops", ["up", "-v"])
        try await installation.allReady()
        let processes = installation.processes().filter { $0.pid != installation.sandbox.pid }
        #expect(processes.count >= 5)
        for process in processes {
            for file in ["cmdline", "environ"] {
                let text = String(
                    decoding: try Data(contentsOf: URL(filePath: "/proc/\(process.pid)/\(file)")), as: UTF8.self)
                #expect(!text.contains(Self.word), "\(process.commandLine): \(file)")
            }
            let limits = try String(contentsOfFile: "/proc/\(process.pid)/limits", encoding: .utf8)
            let cores = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(
                cores?.split(separator: " ").dropFirst(4).first == "0", "\(process.commandLine) would dump its core")
        }
        let directory = StateDirectory(path: installation.directory)
        let status = try await installation.run("finops", "status", "--json").expecting().json()
        for stage in (status["processes"]?.array ?? []).compactMap({ $0["name"]?.string }) {
            for target in ["/livez", "/readyz?verbose", "/metrics"] {
                let answer = HealthClient.get(target, socket: try directory.healthSocket(stage: stage))
                #expect(answer?.status == 200 && answer?.body.contains(Self.word) == false, "\(stage)\(target)")
            }
        }
        up.send(SIGTERM)
        try (await up.wait(limit: .seconds(20))).expecting()
    }
}
