import EventLog
import Foundation
import Glibc
import JSON
import Runtime
import Storage
import TestSupport
import Testing

/// A limit whose policy disables keys, from the first call to the evidence.
@Suite(.serialized) struct PolicyTests {
    @Test func aLimitCrossedByCallsEndsTheKeyAndThereIsEvidence() async throws {
        let upstream = MeteredUpstream()
        try await Installation.with { installation in
            let prepared = try await installation.prepareGateway(upstream)
            // Three calls are more than it.
            try await installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.01", "--policy", "disable-keys"
            ).expecting()
            let log = try await installation.serveLog()
            defer { log.send(SIGKILL) }
            let gateway = try installation.start("gateway", ["run"])
            defer { gateway.send(SIGKILL) }
            let watcher = try installation.start("threshold-watcher", ["run"])
            defer { watcher.send(SIGKILL) }
            let client = try await prepared.at(gateway)
            _ = try await client.firstAnswer(gateway)
            var last: GatewayAnswer?
            try await eventually("the key is refused, not \(String(describing: last)): \(watcher.standardErrorSoFar)") {
                last = client.ask()
                return last?.status == 403
            }
            #expect(last?.body.contains("permission_denied") == true)
            // The gateway refuses first, then writes down that it does, then says so.
            try await eventually("the gateway has acknowledged: \(gateway.standardErrorSoFar)") {
                let reader = SQLiteEventReader(
                    files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
                return try await !reader.read(after: .start, limit: 1, types: ["key.disablement-enforced"]).events
                    .isEmpty
            }
            for program in [gateway, watcher, log] {
                program.send(SIGTERM)
                _ = await program.wait()
            }
            try await expectEvidence(installation)
        }
    }

    private func expectEvidence(_ installation: Installation) async throws {
        try await installation.run("projector", "catch-up").expecting()
        let alerts = try await installation.run("reporter", "alerts", "--last", "7d", "--json").expecting().json()
        let crossed = try #require(alerts["alerts"]?.array?.first { $0["level"]?.integer == 100 })
        #expect(crossed["basis"]?.string == "estimated", "\(crossed.text)")
        let kills = try await installation.run("reporter", "kills", "--json").expecting().json()
        let kill = try #require(kills["kills"]?.array?.first, "\(kills.text)")
        #expect(kill["cause"] == "policy" && kill["actor"] == "policy" && kill["project"] == "chatbot")
        #expect(kill["reason"]?.string?.contains("has spent") == true)
        let gateways = try #require(kill["gateways"]?.array)
        #expect(gateways.count == 1 && gateways.first?["enforced"]?.string != nil, "\(kill.text)")
        #expect(gateways.first?["last_call"]?.string?.isEmpty == false)
        let audit = try await installation.run("reporter", "audit", "--json").expecting().json()
        #expect(audit.text.contains("key.disabled") && audit.text.contains("has spent"))
    }
}
