import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// Upstreams and keys of the gateway, typed as a person types them.
@Suite struct KeyCommandTests {
    private static let upstreamKey = "sk-proj-CANARY-4d1f7a92c3b85e60"

    /// A directory with a project `chat`, and a file with an upstream's key.
    private func prepared(_ installation: Installation) async throws -> String {
        try await installation.run("finops", "init").expecting()
        try await installation.run("finops", "team", "add", "apps").expecting()
        try await installation.run("finops", "project", "add", "chat", "--team", "apps").expecting()
        let file = installation.root.appending(path: "upstream").path
        try Self.upstreamKey.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    private func json(_ installation: Installation, _ line: String) async throws -> JSONValue {
        let words = line.split(separator: " ").map(String.init) + ["--json"]
        return try await installation.run("finops", arguments: words).expecting().json()
    }

    private func row(_ installation: Installation, _ id: String) async throws -> JSONValue {
        let rows = try await json(installation, "key list").array ?? []
        return try #require(rows.first { $0["id"]?.string == id })
    }

    private func events(_ installation: Installation, _ stream: StreamName) async throws -> [RecordedEvent] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        return try await log.readAll(stream: stream)
    }

    @Test func anUpstreamIsSetOnceAndItsKeyIsNowhereButInTheVault() async throws {
        try await Installation.with { installation in
            let file = try await prepared(installation)
            let set = "upstream set openai --name main --base-url http://127.0.0.1:9999 --key-file \(file)"
            let first = try await json(installation, set)
            #expect(first["changed"] == true && first["base_url"] == "http://127.0.0.1:9999/v1")
            #expect(first["account"] == "main" && first["key"] == "sk-proj-…5e60")
            #expect(try await json(installation, set)["changed"] == false)
            let azure = """
                upstream set azure --name eu --base-url https://acme.openai.azure.com --key-file \(file) \
                --account acme --provider-key-id key_1 --deployment gpt-4o=prod --deployment o3=reasoning
                """
            let second = try await json(installation, azure)
            #expect(second["base_url"] == "https://acme.openai.azure.com/openai/v1" && second["account"] == "acme")
            #expect(second["deployments"]?.array?.count == 2 && second["provider_key_id"] == "key_1")
            #expect(try await json(installation, azure)["changed"] == false)
            // What is not said stays.
            let again = try await json(
                installation, "upstream set azure --name eu --key-file \(file) --account other")
            #expect(again["deployments"]?.array?.count == 2 && again["account"] == "other")

            try "sk-proj-CANARY-another-key-0000wxyz".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await json(installation, set)["changed"] == true)
            // From standard input it is the same.
            let typed = set.replacingOccurrences(of: file, with: "-")
            let program = try ProgramLocator.beside().path(of: "finops")
            let piped = try await installation.said(
                by: "/bin/sh",
                ["-c", #"exec "$0" $1 --json --dir "$2" <"$3""#, program, typed, installation.directory, file])
            #expect(try JSONValue.parse(piped)["changed"] == false)
            #expect(try await json(installation, "upstream list").array?.map { $0["name"] } == ["eu", "main"])
            // The gateway alone is enough: its keys have projects.
            let checks = try await installation.run("finops", "doctor", "--json").json()["checks"]?.array ?? []
            let sources = checks.filter { ["connections", "mappings"].contains($0["check"]?.string) }
            #expect(sources.count == 2 && sources.allSatisfy { $0["ok"] == true })
            #expect(try await json(installation, "upstream rm eu")["changed"] == true)
            #expect(try await json(installation, "upstream list").array?.count == 1)
            let vault = try await json(installation, "vault list").array ?? []
            #expect(vault.filter { $0["purpose"] == "upstream-key" }.map { $0["id"] } == ["upstream-main"])
            #expect(try await events(installation, .upstream("main")).map(\.type) == ["upstream.set", "upstream.set"])
            #expect(try installation.filesHolding("CANARY") == ["upstream"])
        }
    }

    /// Calls and usage of the same account under two names would count twice.
    @Test func anUpstreamIsOnTheBillOfTheAccountAtItsAddress() async throws {
        try await Installation.with { installation in
            let file = try await prepared(installation)
            let address = "--base-url http://127.0.0.1:9999 --key-file \(file)"
            #expect(try await json(installation, "upstream set openai --name main \(address)")["account"] == "main")
            func finding() async throws -> JSONValue? {
                try await installation.run("finops", "doctor", "--json").json()["checks"]?.array?
                    .first { $0["check"] == "accounts of upstreams" }
            }
            #expect(try await finding()?["ok"] == true)
            let connect = "connect openai --name acme \(address)".split(separator: " ").map(String.init)
            let connected = try await installation.run("finops", arguments: connect).expecting().standardError
            #expect(connected.contains("warning: upstream \"main\" puts its calls on account \"main\""), "\(connected)")
            let problem = try await finding()
            #expect(problem?["ok"] == false && problem?["problem"]?.string?.contains("would count twice") == true)
            #expect(problem?["remedy"]?.string?.contains("--name main --account acme") == true)
            #expect(
                try await json(installation, "upstream set openai --name main --account acme \(address)")["account"]
                    == "acme")
            #expect(try await finding()?["ok"] == true)
            #expect(try await json(installation, "upstream set openai --name new \(address)")["account"] == "acme")
            let local = "upstream set openai --name local --base-url http://127.0.0.1:8000 --key-file \(file)"
            #expect(try await json(installation, local)["account"] == "local")
        }
    }

    @Test func aKeyIsShownOnceAndKeptAsAHash() async throws {
        try await Installation.with { installation in
            _ = try await prepared(installation)
            let issued = try await json(
                installation, "key issue --project chat --name batch --models gpt-4o*,o3 --expires 2099-12-31")
            let (id, key) = (try #require(issued["id"]?.string), try #require(issued["key"]?.string))
            #expect(VirtualKey.isWellFormed(Array(key.utf8)) && issued["prefix"]?.string == String(key.prefix(7)))
            #expect(try installation.filesHolding(key).filter { !$0.hasPrefix("scratch") } == [])
            let row = try await row(installation, id)
            #expect(row["kind"] == "gateway" && row["status"] == "active" && row["project"] == "chat")
            #expect(row["expires"] == "2099-12-31" && row["last_rotated"]?.isNull == true)

            let rotated = try await json(installation, "key rotate \(id) --grace 24h")
            let value = try #require(rotated["key"]?.string)
            #expect(value != key && VirtualKey.isWellFormed(Array(value.utf8)))
            let after = try await self.row(installation, id)
            #expect(after["status"] == "rotating" && after["prefix"]?.string == String(value.prefix(7)))
            #expect(after["last_rotated"]?.string != nil)
            // Without --json the key is the only thing on stdout.
            let plain = try await installation.run("finops", "key", "issue", "--project", "chat").expecting()
            #expect(VirtualKey.isWellFormed(Array(plain.standardOutput.dropLast().utf8)))
            // A mapping of a provider's key stands beside them with the fields that it had.
            _ = try await json(installation, "key map --provider openai --provider-key-id key_1 --project chat")
            let mapped = try await self.row(installation, "key_1")
            #expect(mapped["provider"] == "openai" && mapped["kind"] == "key" && mapped["project"] == "chat")
        }
    }

    @Test func disablingIsDecidedOnceAndGivingBackTakesTwoPeople() async throws {
        try await Installation.with { installation in
            _ = try await prepared(installation)
            let id = try #require(try await json(installation, "key issue --project chat")["id"]?.string)
            let drill = try await json(installation, "key disable \(id) --reason rehearsal --drill")
            #expect(drill["changed"] == true && drill["drill"] == true && drill["gateways"] == [])
            #expect(try await row(installation, id)["status"] == "active")
            let said = try await installation.run("finops", "key", "disable", id, "--reason", "runaway").expecting()
            #expect(said.standardError.contains("no gateway has answered"))
            #expect(try await json(installation, "key disable \(id) --reason again")["changed"] == false)
            #expect(try await row(installation, id)["status"] == "disabled")

            #expect(try await json(installation, "key reactivate request \(id) --reason mended")["changed"] == true)
            let own = try await installation.run("finops", "key", "reactivate", "approve", id).expecting(4)
            #expect(own.standardError.contains("another administrator"))
            let (member, memberFile) = try await person(installation, "Park", "")
            let (administrator, file) = try await person(installation, "Lee", "--administrator")
            func approve(_ person: String, _ file: String) async throws -> ProgramResult {
                try await installation.run(
                    "finops", "key", "reactivate", "approve", id, "--as", person, "--token-file", file)
            }
            try await approve(member, memberFile).expecting(4)
            try await approve(administrator, memberFile).expecting(4)
            try await approve(administrator, file).expecting()
            #expect(try await row(installation, id)["status"] == "active")

            let actors = try await events(installation, .key(id)).suffix(2).map(\.event.actor)
            #expect(actors.last == administrator && Set(actors).count == 2)
            let audit = try await installation.run("reporter", "audit", "--json").expecting().json()
            let actions = (audit["audit"]?.array ?? []).filter { $0["subject"]?.string == id }
                .compactMap { $0["action"]?.string }
            #expect(
                actions == [
                    "key.reactivated", "key.reactivation-requested", "key.disabled", "key.disabled", "key.issued",
                ])
        }
    }

    @Test func theAuditLogHasWhoDidWhatWithKeysAndUpstreamsAndWhy() async throws {
        try await Installation.with { installation in
            let file = try await prepared(installation)
            let person = try await person(installation, "Kim", "--administrator")
            func act(_ line: String, _ reason: String) async throws -> JSONValue {
                let words = line.split(separator: " ").map(String.init)
                let acting = ["--as", person.id, "--token-file", person.file, "--reason", reason, "--json"]
                return try await installation.run("finops", arguments: words + acting).expecting().json()
            }
            let upstream = "upstream set openai --name main --base-url http://127.0.0.1:9999 --key-file \(file)"
            _ = try await act(upstream, "the contract of May")
            let id = try #require(try await act("key issue --project chat", "for the door")["id"]?.string)
            let rotated = try #require(
                try await act("key rotate \(id) --grace 0s", "a laptop is lost")["prefix"]?.string)
            _ = try await act("key disable \(id)", "runaway loop")
            _ = try await act("key reactivate request \(id)", "the loop is mended")
            _ = try await act("upstream rm main", "the contract has ended")

            let answer = try await installation.run("reporter", "audit", "--json").expecting().json()
            let rows = (answer["audit"]?.array ?? []).filter { $0["actor"]?.string == person.id }
            let told = rows.reversed().filter { $0["action"]?.string?.hasPrefix("secret.") == false }.map { row in
                ["action", "subject", "reason"].map { row[$0]?.string ?? "" }
            }
            #expect(
                told == [
                    ["upstream.set", "main", "the contract of May"], ["key.issued", id, "for the door"],
                    ["key.rotated", id, "a laptop is lost"], ["key.disabled", id, "runaway loop"],
                    ["key.reactivation-requested", id, "the loop is mended"],
                    ["upstream.removed", "main", "the contract has ended"],
                ])
            func detail(_ action: String) -> String {
                rows.first { $0["action"]?.string == action }?["detail"]?.string ?? ""
            }
            #expect(detail("key.rotated").hasPrefix("\(rotated)…, the value before it until "))
            #expect(detail("upstream.set") == "openai http://127.0.0.1:9999/v1 sk-proj-…5e60, account main")
            #expect(detail("key.issued").hasSuffix("… for project chat"))
        }
    }

    /// - Returns: the id of a new person, and a file with the token.
    private func person(
        _ installation: Installation, _ name: String, _ role: String
    ) async throws -> (id: String, file: String) {
        let added = try await json(installation, "person add \(name) \(role)")
        let file = installation.root.appending(path: "token-\(name)").path
        try (added["token"]?.string ?? "").write(toFile: file, atomically: true, encoding: .utf8)
        return (try #require(added["id"]?.string), file)
    }

    @Test func theGatewaysAnswersAreShownAsSoonAsTheyAreThere() async throws {
        try await Installation.with { installation in
            _ = try await prepared(installation)
            let log = try await installation.serveLog()
            let id = try #require(try await json(installation, "key issue --project chat")["id"]?.string)
            let disabling = try installation.start(
                "finops", ["key", "disable", id, "--reason", "runaway", "--json"])
            var decision: RecordedEvent?
            try await eventually("the decision is in the log") {
                decision = try await events(installation, .key(id)).first { $0.type == "key.disabled" }
                return decision != nil
            }
            let decided = try #require(decision)
            try await installation.smuggle(
                .keyDisablementEnforced(
                    .with {
                        ($0.key, $0.gateway, $0.decision) = (id, "east", decided.position.value)
                        $0.decided = decided.recorded.microseconds
                        $0.enforced = decided.recorded.microseconds + 12_345
                        $0.lastAccepted = decided.recorded.microseconds - 1_000
                    }), into: .enforcement(gateway: "east"))
            let answer = try await disabling.wait().expecting().json()
            let east = try #require(answer["gateways"]?.array?.first { $0["gateway"]?.string == "east" })
            #expect(east["milliseconds"]?.numberText == "12.345" && east["last_accepted"]?.string != nil)
            log.send(SIGTERM)
            _ = await log.wait(limit: .seconds(20))
        }
    }

    @Test func aRefusalNamesTheFieldAndTheRemedy() async throws {
        try await Installation.with { installation in
            let file = try await prepared(installation)
            let id = try #require(try await json(installation, "key issue --project chat")["id"]?.string)
            let refusals: [(line: String, status: Int32, words: String)] = [
                ("upstream set openai --name x --base-url http://example.com --key-file \(file)", 64, "unencrypted"),
                ("upstream set azure --name x --key-file \(file)", 64, "--base-url is missing"),
                ("upstream set opnai --name x --key-file \(file)", 64, "'opnai' is invalid"),
                ("upstream set openai --name x --key-file /nowhere", 64, "--key-file: cannot read"),
                ("upstream set openai --name x --key-file \(file) --deployment gpt-4o", 64, "gpt-4o=prod-4o"),
                (
                    "upstream set openai --name x --key-file \(file) --provider-key-id \(Self.upstreamKey)", 64,
                    "this looks like a key itself"
                ),
                ("upstream rm nothing", 1, "finops upstream list"),
                ("key issue", 64, "--project"),
                ("key issue --project nothing", 1, "finops project add"),
                ("key issue --project chat --expires 2001-01-01", 64, "--expires: that day is over"),
                ("key issue --project chat --models a,,b", 64, "--models"),
                ("key issue --project chat --routes chat", 64, "--routes: \"chat\" is no route"),
                ("key issue --project chat --routes /v1/audio/*,/v1/chat", 64, "/v1/chat/completions"),
                ("key rotate nothing", 1, "finops key list"),
                ("key rotate \(id) --grace soon", 64, "--grace"),
                ("key disable \(id)", 64, "--reason is missing"),
                ("key disable nothing --reason x", 1, "finops key list"),
                ("key reactivate request \(id) --reason x", 1, "is not disabled"),
                ("key reactivate approve \(id) --as somebody", 64, "--as and --token-file go together"),
                ("key reactivate approve \(id) --as somebody --token-file \(file)", 4, "not the token"),
                ("threshold set --project chat --daily 5 --policy blok", 64, "'blok' is invalid"),
            ]
            for refusal in refusals {
                let words = refusal.line.split(separator: " ").map(String.init)
                let result = try await installation.run("finops", arguments: words)
                #expect(result.status == refusal.status, "\(refusal.line): \(result.standardError)")
                #expect(result.standardError.contains(refusal.words), "\(refusal.line): \(result.standardError)")
                #expect(!(result.standardError + result.standardOutput).contains("CANARY"))
            }
            let held = try await json(installation, "threshold set --project chat --daily 5.00 --policy block")
            #expect(held["policy"] == "block")
        }
    }
}
