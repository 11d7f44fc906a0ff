import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import Storage
import SwiftProtobuf
import TestSupport
import Testing

/// The gateway as a person starts it, with a provider on loopback and a real log.
@Suite(.serialized) struct GatewayTests {
    @Test func aCallIsAnsweredAndItsExactCostIsInTheLog() async throws {
        let upstream = MeteredUpstream()
        try await Installation.with { installation in
            let prepared = try await installation.prepareGateway(upstream)
            let log = try await installation.serveLog()
            defer { log.send(SIGKILL) }
            let gateway = try installation.start("gateway", ["run"])
            defer { gateway.send(SIGKILL) }
            let client = try await prepared.at(gateway)
            let answer = try await client.firstAnswer(gateway)
            #expect(answer.status == 200 && answer.body.contains(#""prompt_tokens":1000"#))
            let call = try #require(try await installation.recordedCalls(atLeast: 1).first)
            #expect(call.project == "chatbot" && call.model == MeteredUpstream.model && call.status == 200)
            #expect(call.upstreamRequest == answer.headers["x-request-id"])
            #expect(call.cost.nanos == MeteredUpstream.costNanos && call.cost.currency == "USD")
            #expect(call.usageEstimated.isEmpty && call.ended == "complete" && call.gateway == "gateway")
            gateway.send(SIGTERM)
            try await gateway.wait().expecting()
            // What `finops key issue` said is in a file of this test, too.
            let holders = try installation.filesHolding(client.key).filter { !$0.hasPrefix("scratch/finops-") }
            #expect(holders.isEmpty)
            log.send(SIGTERM)
            _ = await log.wait()
        }
    }

    /// Every answer that a client got whole is one event of the log, whatever was killed when. The log is away for some of it.
    @Test func gatewaysKilledUnderLoadLoseAndDoubleNothing() async throws {
        let upstream = MeteredUpstream()
        var random = SeededGenerator(seed: 50)
        try await Installation.with { installation in
            // All come back to the place that the load knows.
            let client = try await installation.prepareGateway(upstream, port: Loopback.freePort())
            var log = try await installation.serveLog()
            defer { log.send(SIGKILL) }
            let first = try installation.start("gateway", ["run"])
            _ = try await client.firstAnswer(first)
            first.send(SIGKILL)
            _ = await first.wait()
            let load = GatewayLoad(client, threads: 6)
            for round in 1...50 {
                if round == 20 {
                    log.send(SIGKILL)
                    _ = await log.wait()
                }
                if round == 30 { log = try await installation.serveLog() }
                let gateway = try installation.start("gateway", ["run"])
                defer { gateway.send(SIGKILL) }
                let wanted = load.delivered.count + Int.random(in: 1...150, using: &random)
                try await eventually("round \(round) \(load.others): \(gateway.standardErrorSoFar)") {
                    load.delivered.count >= wanted || gateway.hasEnded
                }
                gateway.send(SIGKILL)
                try await gateway.wait().expecting(-SIGKILL)
            }
            try await load.stop()
            let last = try installation.start("gateway", ["run"])
            defer { last.send(SIGKILL) }
            _ = try await client.firstAnswer(last)
            let delivered = load.delivered
            try await expectEachOnce(delivered, installation)
            last.send(SIGTERM)
            try await last.wait().expecting()
            log.send(SIGTERM)
            _ = await log.wait()
            try await installation.run("event-log", "verify").expecting()
        }
    }

    private func expectEachOnce(_ delivered: [String], _ installation: Installation) async throws {
        try await eventually("the spool is drained", limit: .seconds(60)) {
            let told = Set(try await installation.recordedCalls().map(\.upstreamRequest))
            return delivered.allSatisfy(told.contains)
        }
        let calls = try await installation.recordedCalls()
        let attempts = Set(calls.map { "\($0.call) \($0.attempt)" })
        #expect(attempts.count == calls.count, "\(calls.count - attempts.count) attempts are told twice")
        let answered = calls.filter { $0.status == 200 && $0.ended == "complete" }
        #expect(Set(answered.map(\.upstreamRequest)).count == answered.count)
        #expect(Set(delivered).count == delivered.count && delivered.count > 500)
        #expect(answered.allSatisfy { $0.cost.nanos == MeteredUpstream.costNanos })
        #expect(answered.count(where: \.streamed) > 100 && answered.count { !$0.streamed } > 100)
    }
}

extension GatewayClient {
    /// The same at the port that a gateway has which was to take any, once it listens.
    func at(_ gateway: RunningProgram) async throws -> GatewayClient {
        GatewayClient(port: try await gateway.listeningPort(), key: key)
    }

    /// Waits until the gateway lets a call through.
    func firstAnswer(_ gateway: RunningProgram) async throws -> GatewayAnswer {
        var answer: GatewayAnswer?
        try await eventually("an answer, not \(String(describing: answer)): \(gateway.standardErrorSoFar)") {
            answer = ask()
            if gateway.hasEnded { throw Unexpected("the gateway has ended: \(gateway.standardErrorSoFar)") }
            return answer?.status == 200
        }
        guard let answer else { throw Unexpected("no answer") }
        return answer
    }
}

extension Installation {
    /// A project with a key, and the upstream's key in the vault.
    /// - Parameter port: of the gateway; 0 for any: then the client is to be brought to where it is.
    func prepareGateway(_ upstream: MeteredUpstream, port: UInt16 = 0) async throws -> GatewayClient {
        try await run("finops", "init").expecting()
        try await run("finops", "team", "add", "research").expecting()
        try await run("finops", "project", "add", "chatbot", "--team", "research").expecting()
        try await run(
            "finops", "upstream", "set", "openai", "--name", "main", "--base-url", upstream.baseURL, "--key-file",
            root.appending(path: "key").path
        ).expecting()
        let issued = try await run("finops", "key", "issue", "--project", "chatbot", "--json").expecting().json()
        guard let key = issued["key"]?.string else { throw Unexpected("no key in \(issued.text)") }
        try configure(["gateway_listen: 127.0.0.1:\(port)"])
        return GatewayClient(port: port, key: key)
    }

    /// The calls in the log.
    /// - Parameter count: so many are waited for.
    func recordedCalls(atLeast count: Int = 0) async throws -> [WireCallRecorded] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: directory).logDatabase))
        var calls: [WireCallRecorded] = []
        try await eventually("\(count) calls in the log") {
            calls = []
            var position = Position.start
            while true {
                let page = try await log.read(after: position, limit: 10_000, types: ["call.recorded"])
                calls += try page.events.map { try WireCallRecorded(serializedBytes: $0.payload) }
                position = page.scannedThrough
                if page.scannedThrough >= page.head { return calls.count >= count }
            }
        }
        return calls
    }
}
