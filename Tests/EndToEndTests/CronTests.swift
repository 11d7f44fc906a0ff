import Foundation
import JSON
import Testing

/// An external scheduler starts the day's run over HTTP: whoever knows the secret, once a day.
@Suite(.serialized) struct CronTests {
    private static let secret = "cron-CANARY-2d7c94f1b8a3"
    private static let path = "/api/cron/daily-batch"

    @Test func aSchedulerOutsideStartsTheDaysRunOnce() async throws {
        try await withCollector { installation, address in
            let without = try await installation.call(address + Self.path)
            let wrong = try await installation.call(address + Self.path, secret: Self.secret + "x")
            #expect(without.status == 401 && wrong.status == 401 && without.body == wrong.body)
            #expect(try await installation.call(address + Self.path, secret: Self.secret, "GET").status == 405)
            #expect(try await installation.call(address + "/api/cron", secret: Self.secret).status == 404)
            let answers = try await installation.callAtOnce(address + Self.path, secret: Self.secret, times: 4)
            #expect(answers.filter { $0["state"] == "started" }.count == 1)
            #expect(answers.allSatisfy { ["started", "under-way", "finished"].contains($0["state"]) })
            try await eventually("the run is finished") {
                try await installation.call(address + Self.path, secret: Self.secret).status == 200
            }
            let done = try await installation.call(address + Self.path, secret: Self.secret).json
            #expect(done["state"] == "finished" && done["accounts"]?.array?.count == 1)
            try await installation.run("projector", "catch-up").expecting()
            let runs = try await installation.run("reporter", "runs", "--json").expecting().json()["runs"]?.array ?? []
            let ofToday = runs.filter { $0["kind"] == "daily" && $0["to"] == done["to"] }
            #expect(ofToday.map { $0["state"] } == ["finished"])
            #expect(try installation.filesHolding(Self.secret).isEmpty)
        }
    }

    @Test func aNewSecretCountsAtOnceAndNoneOpensNothing() async throws {
        try await withCollector { installation, address in
            try await installation.keep("another-secret-of-the-same-vault")
            #expect(try await installation.call(address + Self.path, secret: Self.secret).status == 401)
            let another = try await installation.call(address + Self.path, secret: "another-secret-of-the-same-vault")
            #expect([200, 202].contains(another.status))
            try await installation.run("finops", "vault", "rm", "cron-secret").expecting()
            #expect(
                try await installation.call(address + Self.path, secret: "another-secret-of-the-same-vault").status
                    == 401)
        }
    }

    @Test(arguments: ["0.0.0.0:8700", "10.0.0.5:8700", "127.0.0.1", "localhost:8700"])
    func onlyThisMachineIsListenedTo(_ address: String) async throws {
        try await Installation.with { installation in
            try await installation.connect()
            var installation = installation
            installation.environment = ["FINOPS_CRON_LISTEN": address]
            let refused = try await installation.run("ingest-openai", "run")
            #expect(refused.status == 1 && refused.standardError.contains("put a proxy that speaks TLS before it"))
        }
    }

    /// A collector whose own daily run is hours away, beside its log.
    private func withCollector(_ body: (Installation, String) async throws -> Void) async throws {
        try await Installation.with(followsClock: true) { plain in
            try await plain.connect()
            try await plain.keep(Self.secret)
            // Near its midnight the daily run would come by itself.
            try plain.startClockAtNoon()
            var installation = plain
            installation.environment = [
                "FINOPS_CRON_LISTEN": "127.0.0.1:0", "FINOPS_DAILY_TIME": "23:59", "FINOPS_POLL_INTERVAL": "1d",
            ]
            let log = try await installation.serveLog()
            let collector = try installation.start("ingest-openai", ["run", "--lifeline"], lifeline: true)
            let file = installation.directory + "/run/cron.address"
            try await eventually("it listens: \(collector.standardErrorSoFar)") {
                collector.hasEnded || FileManager.default.fileExists(atPath: file)
            }
            try await body(installation, try String(contentsOfFile: file, encoding: .utf8))
            collector.send(SIGTERM)
            try await collector.wait().expecting()
            #expect(!FileManager.default.fileExists(atPath: file))
            log.send(SIGTERM)
            try await log.wait().expecting()
        }
    }
}

extension Installation {
    /// Puts the scheduler's secret into the vault, and leaves it nowhere else.
    fileprivate func keep(_ secret: String) async throws {
        let file = root.appending(path: "cron-secret")
        try Data(secret.utf8).write(to: file)
        try await run("finops", "vault", "put", "cron-secret", "--purpose", "cron", "--file", file.path).expecting()
        try FileManager.default.removeItem(at: file)
    }

    fileprivate struct Call {
        let status: Int
        let body: String
        var json: JSONValue { get throws { try JSONValue.parse(body) } }
    }

    fileprivate func call(_ url: String, secret: String? = nil, _ method: String = "POST") async throws -> Call {
        let header = secret.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
        let said = try await said(by: "/usr/bin/curl", ["-sS", "-X", method, "-w", "%{http_code}", url] + header)
        return Call(status: Int(said.suffix(3)) ?? 0, body: String(said.dropLast(3)))
    }

    /// The answers to several calls of the same moment.
    fileprivate func callAtOnce(_ url: String, secret: String, times: Int) async throws -> [JSONValue] {
        let said = try await said(
            by: "/usr/bin/curl",
            ["-sS", "--no-progress-meter", "-Z", "-X", "POST", "-H", "Authorization: Bearer \(secret)"]
                + Array(repeating: url, count: times))
        return try said.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    }
}
