import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import TestSupport
import Testing

/// The vault's keys, changed by the real command.
@Suite(.serialized) struct VaultRotationTests {
    private static let secrets = (0..<12).map { "secret-\($0)" }

    private func fill(_ installation: Installation) async throws {
        try await installation.run("finops", "init").expecting()
        let file = installation.root.appending(path: "key").path
        for id in Self.secrets { try await installation.run("finops", "vault", "put", id, "--file", file).expecting() }
    }

    private func list(_ installation: Installation) async throws -> [JSONValue] {
        try await installation.run("finops", "vault", "list", "--json").expecting().json().array ?? []
    }

    /// The key that the log names last for each secret.
    private func keysInTheLog(_ installation: Installation) async throws -> [String: String] {
        let database = StateDirectory(path: installation.directory).logDatabase
        let page = try await SQLiteEventReader(files: LogFiles(database: database))
            .read(after: .start, limit: EventLimits.readEvents, types: nil)
        var keys: [String: String] = [:]
        for recorded in page.events {
            switch try EventCatalogue.decode(recorded.event) {
            case .secretStored(let stored): keys[stored.secretID] = stored.wrappedBy.keyID
            case .secretRewrapped(let rewrapped):
                #expect(recorded.event.actor != "")
                keys[rewrapped.secretID] = rewrapped.wrappedBy.keyID
            default: break
            }
        }
        return keys
    }

    private func expectRotated(_ installation: Installation, _ key: String) async throws {
        let rows = try await list(installation)
        #expect(rows.allSatisfy { $0["state"] == "whole" && $0["key_id"]?.string == key })
        let said = try await keysInTheLog(installation)
        for id in Self.secrets { #expect(said[id] == key, "\(id)") }
        let files = try FileManager.default.contentsOfDirectory(atPath: installation.directory + "/keys")
        #expect(files.filter { !$0.hasPrefix(".") } == ["master.key"])
    }

    @Test func everySecretIsWrappedAnewAndTheLogSaysByWhomAndWhy() async throws {
        try await Installation.with { installation in
            try await fill(installation)
            let before = try await list(installation)
            let answer = try await installation.run("finops", "vault", "rotate", "--reason", "someone left", "--json")
                .expecting().json()
            let key = try #require(answer["local_key"]?.string)
            #expect(answer["changed"] == true && answer["new_local_key"] == true)
            #expect(before.allSatisfy { $0["key_id"]?.string != key })
            try await expectRotated(installation, key)
            let audit = try await installation.run("reporter", "audit", "--json").expecting().standardOutput
            #expect(audit.contains("secret.rewrapped") && audit.contains("someone left"))
        }
    }

    @Test func fiftyKillsAtAnyMomentLeaveEverySecretOpenAndTheRestToTheSameCommand() async throws {
        try await Installation.with { installation in
            try await fill(installation)
            // Measured, so that kills fall all over it on any machine.
            let clock = ContinuousClock()
            let whole = try await clock.measure { try await installation.run("finops", "vault", "rotate").expecting() }
            var random = SeededGenerator(seed: 42)
            var ends: [Int32: Int] = [:]
            for _ in 0..<50 {
                let rotate = try installation.start("finops", ["vault", "rotate", "--reason", "kill"])
                try await Task.sleep(for: whole * Double.random(in: 0..<0.9, using: &random))
                rotate.send(SIGKILL)
                ends[await rotate.wait().status, default: 0] += 1
                let rows = try await list(installation)
                #expect(rows.count >= Self.secrets.count && rows.allSatisfy { $0["state"] == "whole" })
            }
            // On a machine that is busy now and then, many a command is done sooner than the measured one.
            #expect((ends[-SIGKILL] ?? 0) >= 10, "\(ends)")
            let answer = try await installation.run("finops", "vault", "rotate", "--json").expecting().json()
            try await expectRotated(installation, try #require(answer["local_key"]?.string))
        }
    }

    @Test func secretsMoveToKMSAndBackAndNobodySeesTheCredentials() async throws {
        try await withKeyService { service in
            try await Installation.with { installation in
                try await fill(installation)
                let credentials = installation.root.appending(path: "scratch/credentials")
                try "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = CANARYwJalrXUtn\n"
                    .write(to: credentials, atomically: true, encoding: .utf8)
                let none = try await installation.run("finops", "vault", "rotate", "--to", "aws-kms")
                #expect(none.status == 1 && none.standardError.contains("finops vault kms set"))
                func set(_ keyID: String) async throws -> ProgramResult {
                    try await installation.run(
                        "finops", "vault", "kms", "set", "--key-id", keyID, "--region", "eu-central-1",
                        "--credentials-file", credentials.path, "--endpoint", service.endpoint, "--json")
                }
                #expect(try await set("alias/none").status == 4)
                #expect(try await set("alias/finops").expecting().json()["key_id"]?.string == service.keys[0])
                #expect(try await set("alias/finops").expecting().json()["changed"] == false)
                try FileManager.default.removeItem(at: credentials)
                try await installation.run("finops", "vault", "rotate", "--to", "aws-kms").expecting()
                let there = try await list(installation).filter { Self.secrets.contains($0["id"]?.string ?? "") }
                #expect(there.count == Self.secrets.count)
                #expect(there.allSatisfy { $0["key_id"]?.string == service.keys[0] && $0["state"] == "whole" })
                let again = try await installation.run("finops", "vault", "rotate", "--to", "aws-kms", "--json")
                #expect(try again.expecting().json()["changed"] == false)
                let removed = try await installation.run("finops", "vault", "rm", "key-service")
                #expect(removed.status == 1 && removed.standardError.contains("--to local"))
                #expect(try installation.filesHolding("CANARY").isEmpty)
                let back = try await installation.run("finops", "vault", "rotate", "--to", "local", "--json")
                try await expectRotated(installation, try #require(try back.expecting().json()["local_key"]?.string))
            }
        }
    }

    @Test func aPersonIsForgottenAndTheLogStaysWhatItWas() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let added = try await installation.run(
                "finops", "person", "add", "Kim CANARY", "--reason", "starts", "--json"
            ).expecting().json()
            let id = try #require(added["id"]?.string)
            let token = installation.root.appending(path: "token")
            try Data((added["token"]?.string ?? "").utf8).write(to: token)
            let kim = ["--as", id, "--token-file", token.path]
            let reader = SQLiteEventReader(
                files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
            let before = try await reader.read(after: .start, limit: EventLimits.readEvents, types: nil).events
            let refused = try await installation.run(
                "finops", arguments: ["person", "forget", id, "--reason", "leaves"] + kim)
            #expect(refused.status == 4, "\(refused.standardError)")
            func forget() async throws -> JSONValue {
                try await installation.run("finops", "person", "forget", id, "--reason", "left", "--json")
                    .expecting().json()
            }
            #expect(try await forget()["changed"] == true)
            #expect(try await forget()["changed"] == false)
            let people = try await installation.run("finops", "person", "list", "--json").expecting()
            #expect(people.standardOutput.contains("forgotten") && !people.standardOutput.contains("Kim"))
            let after = try await reader.read(after: .start, limit: EventLimits.readEvents, types: nil).events
            #expect(after.prefix(before.count).elementsEqual(before))
            let told = try after.dropFirst(before.count).filter { $0.event.type == "person.forgotten" }
                .map { try EventCatalogue.decode($0.event) }
            #expect(told.count == 1)
            let gone = try await installation.run("finops", arguments: ["person", "add", "x", "--reason", "y"] + kim)
            #expect(gone.status == 4, "\(gone.standardError)")
        }
    }

    /// A backup remembers; the directory it is restored into does not let it.
    @Test func whoWasForgottenStaysSoWhenAnOlderBackupIsRestored() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let added = try await installation.run("finops", "person", "add", "Kim", "--reason", "starts", "--json")
            let id = try #require(try added.expecting().json()["id"]?.string)
            let backup = installation.root.appending(path: "backup.tar").path
            try await installation.run("finops", "backup", backup).expecting()
            let said = try await installation.run("finops", "person", "forget", id, "--reason", "left").expecting()
            #expect(said.standardError.contains("backups made before still hold the name"))
            try await installation.run("finops", "restore", backup, "--replace").expecting()
            let people = try await installation.run("finops", "person", "list").expecting()
            #expect(people.standardOutput.contains("forgotten") && !people.standardOutput.contains("Kim"))
            let files = try FileManager.default.contentsOfDirectory(atPath: installation.directory + "/vault")
            #expect(!files.contains { $0.contains("person-\(id)") || $0.contains("token-\(id)") })
        }
    }

    /// A replaced file that is whole in itself is found by what the log knows.
    @Test func anOlderFilePutBackIsFound() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let file = installation.root.appending(path: "value")
            let secret = URL(filePath: installation.directory + "/vault/cron-secret.secret.json")
            var older = Data()
            for value in ["first value", "second value"] {
                if FileManager.default.fileExists(atPath: secret.path) { older = try Data(contentsOf: secret) }
                try Data(value.utf8).write(to: file)
                try await installation.run("finops", "vault", "put", "cron-secret", "--file", file.path).expecting()
            }
            func problem() async throws -> String? {
                try await installation.run("finops", "doctor", "--json").json()["checks"]?.array?
                    .first { $0["check"] == "vault and log" }?["problem"]?.string
            }
            #expect(try await problem() == nil)
            try older.write(to: secret)
            #expect(try await problem() == "the vault holds version 1 of cron-secret, and the log knows version 2")
        }
    }

    /// Of a full disk the command says so, nothing is lost, and with room it goes on.
    @Test func aFullDiskEndsTheCommandAndNothingElse() async throws {
        try await Installation.with { installation in
            try await fill(installation)
            let finops = try ProgramLocator.beside().path(of: "finops")
            let (dir, vault) = (installation.directory, installation.directory + "/vault")
            let script = """
                mkdir '\(dir)/saved' && cp -a '\(vault)/.' '\(dir)/saved' || exit 1
                mount -t tmpfs -o size=256k,mode=700 none '\(vault)' || exit 1
                cp -a '\(dir)/saved/.' '\(vault)'; cat /dev/zero > '\(vault)/.fill' 2>&1
                '\(finops)' vault rotate --dir '\(dir)' 2>&1; echo "first $?"; ls -A '\(vault)'
                rm '\(vault)/.fill'; '\(finops)' vault list --json --dir '\(dir)' > '\(dir)/listed'; echo "listed $?"
                '\(finops)' vault rotate --dir '\(dir)' 2>&1; echo "second $?"; cp -a '\(vault)/.' '\(dir)/saved'
                """
            let alone = (geteuid() == 0 ? [] : ["-r"]) + ["-m", "--propagation", "private", "bash", "-c"]
            func run(_ script: String) async throws -> String {
                try await installation.said(by: "/usr/bin/unshare", alone + [script])
            }
            do { _ = try await run("mount -t tmpfs -o size=256k,mode=700 none '\(vault)'") } catch {
                try Test.cancel("this machine lets nobody mount: \(error)")
            }
            let said = try await run(script)
            let first = try #require(said.components(separatedBy: "first 1\n").first)
            #expect(first != said && first.contains("No space left on device"), "\(said)")
            #expect(!said.contains(".tmp\n"), "\(said)")
            #expect(said.contains("listed 0\n") && said.hasSuffix("second 0\n"), "\(said)")
            try FileManager.default.removeItem(atPath: vault)
            try FileManager.default.moveItem(atPath: dir + "/saved", toPath: vault)
            try await expectRotated(installation, try #require(try await list(installation).first?["key_id"]?.string))
        }
    }

    /// A backup from before lies under the key that it was taken under: both keys side by side are a change that goes on.
    @Test func aBackupFromBeforeAChangeOpensWithTheKeyThatWasSaved() async throws {
        try await Installation.with { installation in
            try await fill(installation)
            let keys = installation.directory + "/keys"
            let saved = installation.root.appending(path: "saved.key").path
            try FileManager.default.copyItem(atPath: keys + "/master.key", toPath: saved)
            let backup = installation.root.appending(path: "backup.tar").path
            try await installation.run("finops", "backup", backup).expecting()
            try await installation.run("finops", "vault", "rotate").expecting()
            let file = installation.root.appending(path: "key").path
            try await installation.run("finops", "vault", "put", "later", "--file", file).expecting()
            let restored = try await installation.run("finops", "restore", backup, "--replace").expecting()
            #expect(restored.standardError.contains("master.next.key"), "\(restored.standardError)")
            #expect(try await installation.vaultFindings().keys.contains("vault"))
            // As the message says.
            try FileManager.default.moveItem(atPath: keys + "/master.key", toPath: keys + "/master.next.key")
            try FileManager.default.moveItem(atPath: saved, toPath: keys + "/master.key")
            let answer = try await installation.run("finops", "vault", "rotate", "--json").expecting().json()
            try await expectRotated(installation, try #require(answer["local_key"]?.string))
            #expect(try await list(installation).contains { $0["id"] == "later" && $0["state"] == "whole" })
            #expect(try await installation.vaultFindings() == [:])
        }
    }
}
