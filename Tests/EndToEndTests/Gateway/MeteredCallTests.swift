import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// The whole way of a cost: an estimate when a call ends, usage when the provider's is collected, and then its bill.
@Suite(.serialized) struct MeteredCallTests {
    private static let chat = #"{"model":"gpt-4o","messages":[{"role":"user","content":"is it?"}],"max_tokens":30"#

    /// Calls of all sorts that the provider tells usage of.
    private static let calls: [(path: String, body: String)] = [
        ("/v1/chat/completions", chat + "}"),
        ("/v1/chat/completions", chat + #","stream":true}"#),
        ("/v1/chat/completions", chat + #","n":3}"#),
        (
            "/v1/chat/completions",
            #"{"model":"gpt-4o","messages":[{"role":"user","content":"\#(String(repeating: "word", count: 1_500))"}]}"#
        ),
        ("/v1/responses", #"{"model":"gpt-4.1","input":"is it?","max_output_tokens":40}"#),
        ("/v1/chat/completions", #"{"model":"gpt-5-mini-2025-08-07","messages":[],"service_tier":"flex"}"#),
        ("/v1/embeddings", #"{"model":"text-embedding-3-small","input":["one","two"]}"#),
    ]

    @Test func anEstimateGivesWayToUsageAndUsageToTheBill() async throws {
        try await Installation.with(followsClock: true) { installation in
            let (scene, start) = try await begin(installation)
            defer { scene.log.send(SIGKILL) }
            let day = "\(Day(utc: start))"
            let keys = [try await scene.key("chatbot").text, try await scene.key("search").text]
            let gateway = try await scene.gateway()
            for key in keys { _ = try await gateway.firstAnswer(key, Self.chat + "}") }
            for (place, call) in Self.calls.enumerated() {
                let answer = await gateway.post(call.path, key: keys[place % 2], call.body)
                #expect(answer?.status == 200, "\(call.path): \(answer?.body ?? "nothing")")
            }
            // The provider charges all of an answer; what passed of it is half.
            _ = try await installation.control(
                "POST", "/sandbox/faults", ["kind": "truncated", "path": "/v1/chat/completions"])
            _ = await gateway.post(key: keys[0], Self.chat + #","stream":true}"#)
            try await killInTheMiddle(scene, gateway, key: keys[1])
            let told = try await installation.recordedCalls(atLeast: Self.calls.count + 4)
            // Without the log's server each command that appends lets the others catch up.
            await scene.end(scene.log)
            try await installation.run("projector", "catch-up").expecting()
            #expect(told.count == Self.calls.count + 4 && told.allSatisfy { $0.unpricedReason.isEmpty })
            let cut = try #require(told.first { $0.ended == "upstream-cut" })
            #expect(!cut.usageEstimated.isEmpty && (1..<30).contains(cut.quantities.outputTokens))
            let estimated = told.reduce(0) { $0 + $1.cost.nanos }
            // The same is asked for by others, whole.
            let whole = try #require(told.first { $0.ended == "complete" && $0.streamed })
            // The provider's usage will not name the model as the caller did.
            let killed = try #require(told.first { $0.ended == "gateway-killed" })
            #expect(killed.modelAsked == "gpt-4o" && killed.model == "gpt-4o-2024-08-06" && killed.cost.nanos > 0)
            let charged = estimated - cut.cost.nanos - killed.cost.nanos + 2 * whole.cost.nanos
            #expect(whole.quantities.outputTokens == 30 && charged > estimated)

            let own = Dictionary(grouping: told, by: \.project).mapValues { $0.reduce(0) { $0 + $1.cost.nanos } }
            #expect(try await costs(installation, day, "best") == own && own.count == 2)
            try await pass(hours: 1, after: start, installation)
            try await installation.backfill(day, day).expecting()
            let metered = try await costs(installation, day, "best")
            // One key of the provider's: what it used is shared as the calls were.
            #expect(Set(metered.keys) == Set(own.keys) && metered.values.reduce(0, +) == charged)
            #expect(try await costs(installation, day, "metered") == metered)
            #expect(try await costs(installation, day, "estimated") == own)
            try await expectReconciled(installation, day, estimated, charged, isBilled: false)
            try await pass(hours: 30, after: start, installation)
            try await installation.backfill(day, day).expecting()
            #expect(try await costs(installation, day, "best").values.reduce(0, +) == charged)
            #expect(try await costs(installation, day, "billed").values.reduce(0, +) == charged)
            #expect(try await costs(installation, day, "metered") == metered)
            try await expectReconciled(installation, day, estimated, charged, isBilled: true)
        }
    }

    /// The provider has the request, and answers too late.
    private func killInTheMiddle(_ scene: GatewayScene, _ gateway: SceneGateway, key: String) async throws {
        let installation = scene.installation
        _ = try await installation.control(
            "POST", "/sandbox/faults", ["kind": "slow", "path": "/v1/chat/completions", "delay_ms": 60_000])
        let asked = try await installation.control("GET", "/sandbox/requests").array?.count
        let client = try #require(StayingClient(port: gateway.port))
        defer { client.close() }
        try await client.sends(SceneCall.post(key: key, Self.chat + "}"))
        try await eventually("the provider has it") {
            try await installation.control("GET", "/sandbox/requests").array?.count != asked
        }
        gateway.program.send(SIGKILL)
        _ = await gateway.program.wait()
        await scene.end(try await scene.gateway().program)
    }

    private func begin(_ installation: Installation) async throws -> (GatewayScene, Timestamp) {
        try await installation.connect()
        try installation.startClockAtNoon()
        let clock = try PipelineClock.load(from: StateDirectory(path: installation.directory))
        let log = try await installation.serveLog()
        try await installation.run("finops", "team", "add", "apps").expecting()
        for project in ["chatbot", "search"] {
            try await installation.run("finops", "project", "add", project, "--team", "apps").expecting()
        }
        let file = installation.root.appending(path: "upstream-key")
        try Data("sk-proj-upstream".utf8).write(to: file)
        try await installation.run(
            "finops", "upstream", "set", "openai", "--name", "main", "--account", "acme", "--base-url",
            installation.address, "--provider-key-id", "key_sandbox", "--provider-project-id", "proj_sandbox",
            "--key-file", file.path
        ).expecting()
        return (GatewayScene(installation: installation, log: log), clock.now())
    }

    /// Sets the clock, of the provider too, to hours after noon.
    private func pass(hours: Int64, after start: Timestamp, _ installation: Installation) async throws {
        let later = start.advanced(bySeconds: hours * 3_600)
        try PipelineClock(scale: .init(start: later, rate: 1, anchor: wallTime()))
            .store(in: StateDirectory(path: installation.directory))
    }

    /// Nano-dollars of a day by project.
    private func costs(_ installation: Installation, _ day: String, _ basis: String) async throws -> [String: Int64] {
        let answer = try await installation.costs(by: "project", day, day, basis: basis)
        let rows = answer["rows"]?.array ?? []
        return rows.reduce(into: [:]) { sums, row in
            sums[row["project"]?.string ?? "", default: 0] += row["cost_nano"]?.integer ?? 0
        }
    }

    /// Only what was cut off differs, and by as much as did not pass.
    private func expectReconciled(
        _ installation: Installation, _ day: String, _ estimated: Int64, _ charged: Int64, isBilled: Bool
    ) async throws {
        let answer = try await installation.run(
            "reporter", "reconcile", "--from", day, "--to", day, "--json"
        ).expecting().json()
        let rows = answer["rows"]?.array ?? []
        #expect(rows.count == 4 && rows.allSatisfy { $0["key"] == "key_sandbox" && $0["calls"] == $0["requests"] })
        func sum(_ name: String) -> Int64 { rows.reduce(0) { $0 + ($1[name]?.integer ?? 0) } }
        #expect(sum("estimated_nano") == estimated && sum("metered_nano") == charged)
        #expect(sum("billed_nano") == (isBilled ? charged : 0))
        for row in rows {
            let isCut = row["model"] == "gpt-4o-2024-08-06"
            let difference = row["estimated_to_metered"]?["difference_nano"]?.integer
            #expect(difference == (isCut ? charged - estimated : 0), "\(row.text)")
            #expect(row["estimated_to_metered"]?["unexplained_nano"]?.integer == difference)
            #expect(row["metered_to_billed"]?["difference_nano"] == (isBilled ? 0 : nil), "\(row.text)")
        }
    }
}
