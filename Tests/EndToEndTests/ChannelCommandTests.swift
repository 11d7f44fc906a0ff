import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// Where alerts go, typed as a person types it.
@Suite(.serialized) struct ChannelCommandTests {
    /// Every planted credential and address holds this word.
    private static let word = "CANARY"

    private func file(_ text: String, in installation: Installation) throws -> String {
        let file = installation.root.appending(path: UUID().uuidString)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    private func events(_ installation: Installation, _ channel: String) async throws -> [FinOpsEvent] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        return try await log.readAll(stream: .channel(channel)).compactMap { try EventCatalogue.decode($0.event) }
    }

    private func changed(_ installation: Installation, _ arguments: [String]) async throws -> Bool? {
        try await installation.run("finops", arguments: arguments + ["--json"]).expecting().json()["changed"]?.bool
    }

    private func list(_ installation: Installation) async throws -> [JSONValue] {
        try await installation.run("finops", "channel", "list", "--json").expecting().json().array ?? []
    }

    @Test(arguments: [false, true])
    func whatIsSetIsListedMaskedAndTheSameAgainChangesNothing(_ isRunning: Bool) async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let up = isRunning ? try installation.start("finops", ["up"]) : nil
            if isRunning { try await installation.allReady() }
            try await set(installation)
            try await schedule(installation)
            try await remove(installation)
            up?.send(SIGTERM)
            try await up?.wait(limit: .seconds(20)).expecting()
            #expect(try installation.filesHolding(Self.word).isEmpty)
        }
    }

    private func set(_ installation: Installation) async throws {
        let url = try file("https://hooks.slack.com/services/T0/B0/\(Self.word)\n", in: installation)
        let password = try file("pass-\(Self.word)", in: installation)
        let dsn = try file("https://\(Self.word)@errors.example.com/42", in: installation)
        let commands: [[String]] = [
            ["channel", "set", "slack", "--url-file", url],
            [
                "channel", "set", "mail", "--smtp", "smtp://mail.example.com", "--user", "finops", "--password-file",
                password, "--from", "finops@example.com", "--to", "kim.\(Self.word)@example.com,lee@example.com:en",
            ],
            ["channel", "set", "sentry", "--dsn-file", dsn],
        ]
        for command in commands {
            #expect(try await changed(installation, command) == true, "\(command)")
            #expect(try await changed(installation, command) == false, "\(command)")
            let again = try await installation.run("finops", arguments: command).expecting()
            #expect(again.standardError.hasPrefix("no change: alerts go to "), "\(again.standardError)")
        }
        for planted in [url, password, dsn] { try FileManager.default.removeItem(atPath: planted) }
        let rows = try await list(installation)
        #expect(rows.map { $0["channel"]?.string } == ["slack", "mail", "sentry"])
        #expect(
            rows.map { $0["address"]?.string } == [
                "https://hooks.slack.com", "smtp://mail.example.com:587", "https://errors.example.com",
            ])
        #expect(rows[1]["recipients"] == ["k…@example.com (ko)", "l…@example.com (en)"])
        #expect(rows.allSatisfy { $0["secret"] == "whole" })
        guard case .channelSet(let mail) = try #require(try await events(installation, "mail").first) else {
            Issue.record("no channel.set")
            return
        }
        #expect(mail.destinations == ["mail-ko", "mail-en"] && mail.recipients == 2 && mail.transport == "smtp")
        #expect(mail.secretID == "channel-mail" && mail.secretVersion == 1)
        let vault = try await installation.run("finops", "vault", "list", "--json").expecting().json().array ?? []
        #expect(vault.filter { $0["purpose"] == "notification-channel" }.count == 3)
    }

    private func schedule(_ installation: Installation) async throws {
        let steps: [(arguments: [String], quiet: JSONValue, digest: JSONValue, canary: JSONValue)] = [
            (["--quiet-hours", "22:00-08:00"], "22:00-08:00", .null, false),
            (["--digest", "09:00", "--canary"], "22:00-08:00", "09:00", true),
            (["--no-quiet-hours", "--zone", "Europe/Berlin"], .null, "09:00", true),
            (["--no-digest", "--no-canary", "--zone", "Asia/Seoul"], .null, .null, false),
        ]
        for step in steps {
            let command = ["channel", "schedule", "slack"] + step.arguments
            #expect(try await changed(installation, command) == true, "\(command)")
            #expect(try await changed(installation, command) == false, "\(command)")
            let row = try #require(try await list(installation).first)
            #expect([row["quiet"], row["digest"], row["canary"]] == [step.quiet, step.digest, step.canary])
        }
        #expect(try await list(installation).first?["zone"] == "Asia/Seoul")
    }

    private func remove(_ installation: Installation) async throws {
        for name in ["slack", "mail", "sentry"] {
            let arguments = ["channel", "rm", name, "--reason", "not used"]
            #expect(try await changed(installation, arguments) == true)
            let again = try await installation.run("finops", arguments: arguments).expecting(1)
            #expect(again.standardError.contains("finops channel list"))
        }
        #expect(try await list(installation).isEmpty)
        let vault = try await installation.run("finops", "vault", "list", "--json").expecting().json().array ?? []
        #expect(!vault.contains { $0["purpose"] == "notification-channel" })
    }

    @Test func anotherTransportReplacesTheOldOne() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let key = try file("re_\(Self.word)", in: installation)
            let mail = ["--from", "a@x", "--to", "b@x:en"]
            let smtp = ["channel", "set", "mail", "--smtp", "smtps://mail.example.com"] + mail
            let said = try await installation.run("finops", arguments: smtp).expecting()
            #expect(said.standardError.contains("alerts go to mail by smtps://mail.example.com:465, to 1 address\n"))
            #expect(said.standardError.contains("test it with: notifier test --channel mail\n"))
            let resend = ["channel", "set", "mail", "--resend-key-file", key] + mail
            #expect(try await changed(installation, resend) == true)
            #expect(try await changed(installation, resend + ["--resend-url", "https://api.resend.com/"]) == false)
            let row = try #require(try await list(installation).first)
            #expect(row["transport"] == "resend" && row["address"] == "https://api.resend.com")
            #expect(row["recipients"] == ["b…@x (en)"])
        }
    }

    @Test func aRefusalNamesTheFieldAndTheRemedyAndNotTheSecret() async throws {
        try await Installation.with { installation in
            let before = try await installation.run("finops", "channel", "list").expecting(1)
            #expect(before.standardError.contains("finops init"))
            try await installation.run("finops", "init").expecting()
            let exposed = try file("http://hooks.slack.com/\(Self.word)", in: installation)
            let split = try file("https://hooks.slack.com/a\r\nHost: \(Self.word)", in: installation)
            let noKey = try file("https://errors.example.com/\(Self.word)", in: installation)
            let set = ["channel", "set"]
            let mail = set + ["mail", "--smtp", "smtp://x", "--from", "a@x", "--to"]
            let refusals: [(arguments: [String], status: Int32, words: String)] = [
                (set + ["slack", "--url-file", "/nowhere"], 64, "--url-file: cannot read"),
                (set + ["slack", "--url-file", "-"], 64, "--url-file: standard input holds no secret"),
                (set + ["slack", "--url-file", exposed], 64, "--url-file: it would be sent unencrypted; use https://"),
                (set + ["slack", "--url-file", split], 64, "control character at byte 26"),
                (set + ["slack", "--url", "https://x/\(Self.word)"], 64, "--url"),
                (set + ["sentry", "--dsn-file", noKey], 64, "--dsn-file: it has no key before an @"),
                (mail + ["b@x,\(Self.word)"], 64, "--to: it has no address at place 2: it needs one @; write it like"),
                (mail + ["b@x\r\nBcc \(Self.word)"], 64, "--to: it has no address at place 1"),
                (
                    mail + [(1...51).map { "\(Self.word)\($0)@x" }.joined(separator: ",")], 64,
                    "--to: it has 51 addresses"
                ),
                (mail + ["b@x", "--password", Self.word], 64, "--password"),
                (mail + ["b@x", "--user", "me"], 64, "--password-file: give both or neither"),
                (mail + ["b@x", "--resend-key-file", noKey], 64, "give either --smtp or --resend-key-file"),
                (
                    set + ["mail", "--smtp", "smtp://me:\(Self.word)@x", "--from", "a@x", "--to", "b@x"], 64,
                    "--smtp: it holds a user or a password; give them with --user and --password-file"
                ),
                (
                    set + ["mail", "--smtp", "mail.example.com", "--from", "a@x", "--to", "b@x"], 64,
                    "--smtp: it does not begin with smtp:// or smtps://"
                ),
                (
                    set + ["mail", "--smtp", "smtp://x", "--from", "\(Self.word)", "--to", "b@x"], 64,
                    "--from: it needs one @"
                ),
                (["channel", "schedule", "slack"], 64, "nothing to change"),
                (["channel", "schedule", "slack", "--canary"], 1, "finops channel set slack"),
                (["channel", "schedule", "slack", "--quiet-hours", "22-8"], 64, "--quiet-hours"),
                (["channel", "schedule", "slack", "--quiet-hours", "08:00-08:00"], 64, "--quiet-hours"),
                (["channel", "schedule", "slack", "--digest", "24:00"], 64, "--digest"),
                (["channel", "schedule", "slack", "--digest", "09:00", "--no-digest"], 64, "give one of them"),
                (["channel", "rm", "mail"], 1, "finops channel list"),
            ]
            for refusal in refusals {
                let result = try await installation.run("finops", arguments: refusal.arguments)
                #expect(result.status == refusal.status, "\(refusal.words): \(result.standardError)")
                #expect(result.standardError.contains(refusal.words), "\(result.standardError)")
                #expect(!(result.standardError + result.standardOutput).contains(Self.word), "\(refusal.words)")
            }
            #expect(try await list(installation).isEmpty)
        }
    }

    @Test func theDoctorMissesAChannelWhereLimitsAreSetAndASecretWhereAChannelIs() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            func channels() async throws -> JSONValue? {
                let said = try await installation.run("finops", "doctor", "--json").json()
                return said["checks"]?.array?.first { $0["check"] == "alert channels" }
            }
            #expect(try await channels()?["ok"] == true)
            let threshold = WireThresholdSet.with {
                ($0.scope, $0.zone, $0.levels) = ("organisation", "Asia/Seoul", [100])
                ($0.daily.nanos, $0.daily.currency) = (1_000_000_000, "USD")
            }
            try await installation.smuggle(.thresholdSet(threshold), into: .threshold(.organisation))
            let missing = try await channels()
            #expect(missing?["ok"] == false)
            let remedy = "finops channel set slack --url-file FILE --dir \(installation.directory)"
            #expect(missing?["remedy"]?.string == remedy)
            let url = try file("https://hooks.slack.com/services/T0/B0/\(Self.word)", in: installation)
            try await installation.run("finops", "channel", "set", "slack", "--url-file", url).expecting()
            #expect(try await channels()?["ok"] == true)
            try await installation.run("finops", "vault", "rm", "channel-slack").expecting()
            #expect(try await list(installation).first?["secret"] == "missing")
            let lost = try await channels()
            #expect(lost?["problem"]?.string?.contains("does not hold") == true)
            #expect(lost?["remedy"]?.string == remedy)
            // The vault counts from 1 again, and still it is news.
            #expect(try await changed(installation, ["channel", "set", "slack", "--url-file", url]) == true)
            #expect(try await channels()?["ok"] == true)
        }
    }
}
