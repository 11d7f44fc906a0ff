import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Every program that opens secrets, with those under AWS KMS.
@Suite(.serialized) struct VaultUnderKMSTests {
    @Test func everyProgramOpensWhatItNeeds() async throws {
        let upstream = MeteredUpstream()
        try await withKeyService { service in
            try await Installation.with { installation in
                let prepared = try await installation.prepareGateway(upstream)
                try await installation.connect()
                try await installation.setSlack()
                try await installation.moveToKMS(service)
                #expect(try await installation.vaultFindings() == [:])
                let checked = try await installation.run("ingest-openai", "check")
                #expect(checked.status == 0, "\(checked.standardOutput) \(checked.standardError)")
                try await installation.run("notifier", "test", "--channel", "slack").expecting()
                let log = try await installation.serveLog()
                defer { log.send(SIGKILL) }
                let gateway = try installation.start("gateway", ["run"])
                defer { gateway.send(SIGKILL) }
                let client = try await prepared.at(gateway)
                #expect(try await client.firstAnswer(gateway).status == 200)
                // What runs has what it needs; a new key is hashed by what KMS guards, and people can disable the old one.
                try await installation.run("finops", "key", "issue", "--project", "chatbot").expecting()
                await service.end()
                #expect(client.ask()?.status == 200)
                let keys = try await installation.run("finops", "key", "list", "--json").expecting().json()
                let id = try #require((keys.array ?? keys["keys"]?.array)?.first?["id"]?.string)
                try await installation.run("finops", "key", "disable", id, "--reason", "drill").expecting()
                gateway.send(SIGTERM)
                try await gateway.wait().expecting()
                log.send(SIGTERM)
                _ = await log.wait()
            }
        }
    }

    @Test func whatIsOutOfReachIsSaidAndNothingIsLetThrough() async throws {
        let upstream = MeteredUpstream()
        try await withKeyService { service in
            try await Installation.with { installation in
                let prepared = try await installation.prepareGateway(upstream)
                try await installation.connect()
                try await installation.moveToKMS(service)
                await service.end()
                let said = try await installation.vaultFindings()
                #expect(Array(said.keys) == ["key service"], "\(said)")
                #expect(try await installation.run("ingest-openai", "check").status != 0)
                // Whoever cannot hash a key knows none.
                let log = try await installation.serveLog()
                defer { log.send(SIGKILL) }
                let gateway = try installation.start("gateway", ["run"])
                defer { gateway.send(SIGKILL) }
                let client = try await prepared.at(gateway)
                try await eventually("it serves: \(gateway.standardErrorSoFar)", limit: .seconds(60)) {
                    client.ask() != nil || gateway.hasEnded
                }
                let refused = try #require(client.ask())
                #expect(refused.status == 503, "\(refused)")
                #expect(!refused.body.contains(client.key) && !gateway.standardErrorSoFar.contains(client.key))
                // It listens before all attempts have failed; then it says why.
                try await eventually("it says why") { gateway.standardErrorSoFar.contains("AWS KMS") }
                // Asked to stop, it does not wait for KMS.
                gateway.send(SIGTERM)
                try await gateway.wait(limit: .seconds(20)).expecting()
                log.send(SIGTERM)
                _ = await log.wait()
                // The vault can be put right without it: what nobody opens is entered again.
                let back = try await installation.run("finops", "vault", "rotate", "--to", "local")
                #expect(back.status == 75 && back.standardError.contains("AWS KMS"), "\(back)")
                try await expectPatienceToEnd(installation, service)
            }
        }
    }

    /// Somebody takes the connection and says nothing: who asks how things are is told so, and soon.
    private func expectPatienceToEnd(_ installation: Installation, _ service: RunningKeyService) async throws {
        let port = try #require(service.endpoint.split(separator: ":").last.flatMap { UInt16($0) })
        let silent = try #require(Loopback.listener(port: port))
        defer { close(silent) }
        let clock = ContinuousClock()
        var said: JSONValue?
        let time = try await clock.measure { said = try await installation.run("finops", "doctor", "--json").json() }
        let check = said?["checks"]?.array?.first { $0["check"] == "key service" }
        #expect(check?["problem"] == "it has not answered within 8 seconds", "\(check?.text ?? "")")
        #expect(check?["remedy"]?.string?.contains("look at the network") == true)
        // It used to be 47 seconds; of these here, those above 9 are the machine's.
        #expect(time < .seconds(30), "\(time)")
    }

    /// Killed at any moment on the way there and back, every secret opens, and the same command goes on.
    @Test func killsOnTheWayToKMSAndBackLoseNothing() async throws {
        try await withKeyService { service in
            try await Installation.with { installation in
                try await installation.run("finops", "init").expecting()
                let file = installation.root.appending(path: "key").path
                for id in 0..<6 {
                    try await installation.run("finops", "vault", "put", "s\(id)", "--file", file).expecting()
                }
                try await installation.moveToKMS(service)
                let clock = ContinuousClock()
                let whole = try await clock.measure {
                    try await installation.run("finops", "vault", "rotate", "--to", "local").expecting()
                }
                var random = SeededGenerator(seed: 7)
                var kills = 0
                for round in 0..<16 {
                    let place = round.isMultiple(of: 2) ? "aws-kms" : "local"
                    let rotate = try installation.start("finops", ["vault", "rotate", "--to", place])
                    try await Task.sleep(for: whole * Double.random(in: 0.2..<0.9, using: &random))
                    rotate.send(SIGKILL)
                    if await rotate.wait().status == -SIGKILL { kills += 1 }
                    let rows = try await installation.run("finops", "vault", "list", "--json").expecting().json().array
                    #expect((rows ?? []).filter { $0["state"] == "whole" }.count >= 7)
                }
                #expect(kills >= 3)
                try await installation.run("finops", "vault", "rotate", "--to", "aws-kms").expecting()
                #expect(try await installation.vaultFindings() == [:])
                try await installation.run("finops", "vault", "rotate").expecting()
                #expect(try await installation.vaultFindings() == [:])
                let rows = try await installation.run("finops", "vault", "list", "--json").expecting().json().array
                let kinds = (rows ?? []).filter { $0["id"]?.string?.hasPrefix("s") == true }.map { $0["wrapped_by"] }
                #expect(kinds.count == 6)
            }
        }
    }
}

extension Installation {
    /// Sets up the key service and moves every secret there that may be.
    func moveToKMS(_ service: RunningKeyService) async throws {
        let credentials = root.appending(path: "credentials")
        try Data("aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = CANARYwJalrXUtn\n".utf8).write(
            to: credentials)
        try await run(
            "finops", "vault", "kms", "set", "--key-id", "alias/finops", "--region", "eu-central-1",
            "--credentials-file", credentials.path, "--endpoint", service.endpoint
        ).expecting()
        try FileManager.default.removeItem(at: credentials)
        try await run("finops", "vault", "rotate", "--to", "aws-kms").expecting()
    }

    /// What `finops doctor` finds wrong with keys and secrets, and its remedies.
    func vaultFindings() async throws -> [String: String] {
        let checks = try await run("finops", "doctor", "--json").json()["checks"]?.array ?? []
        let found = checks.filter { $0["ok"] == false }.compactMap { check in
            check["check"]?.string.map { ($0, check["remedy"]?.string ?? "") }
        }
        return Dictionary(uniqueKeysWithValues: found).filter {
            ["master key", "key service", "vault"].contains($0.key)
        }
    }

    fileprivate func setSlack() async throws {
        let file = root.appending(path: "webhook")
        try Data("\(address)/slack/T1/B1/secret".utf8).write(to: file)
        try await run("finops", "channel", "set", "slack", "--url-file", file.path).expecting()
    }
}
