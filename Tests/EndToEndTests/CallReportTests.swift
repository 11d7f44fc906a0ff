import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// Calls through a gateway as `reporter` tells them: attempt by attempt, as costs, and when their key is disabled.
@Suite struct CallReportTests {
    private static func called(
        _ call: String, minutesAgo: Int64, project: String = "ranking", task: String = "chat", nanos: Int64? = 1_500
    ) -> FinOpsEvent {
        .callRecorded(
            .with {
                $0.call = call
                $0.attempt = 1
                $0.gateway = "gateway"
                $0.key = "key-\(project)"
                $0.project = project
                $0.upstream = "main"
                $0.provider = "openai"
                $0.account = "acme"
                $0.providerKeyID = "key-up"
                $0.providerProjectID = "proj-1"
                $0.route = "/v1/chat/completions"
                $0.modelAsked = "gpt-4o"
                $0.model = "gpt-4o-2024-08-06"
                $0.kind = "completions"
                $0.serviceTier = "default"
                $0.quantities.requests = 1
                $0.quantities.inputTokens = 100
                $0.quantities.cachedInputTokens = 30
                $0.quantities.outputTokens = 20
                if let nanos {
                    $0.cost.nanos = nanos
                    $0.cost.currency = "USD"
                    $0.priceVersion = "2026-11-01"
                } else {
                    $0.unpricedReason = "no price"
                }
                $0.status = 200
                $0.ended = "complete"
                $0.started = WrittenLog.now.microseconds - minutesAgo * 60_000_000
                $0.firstByte = 250_125
                $0.duration = 900_000
                $0.context.taskType = task
                $0.context.user = "u-42"
                if call == "call-2" { $0.context.metadata = ["tenant": "acme", "build": "=7"] }
            })
    }

    private static let events: [FinOpsEvent] = [
        called("call-1", minutesAgo: 90), called("call-2", minutesAgo: 50),
        called("call-3", minutesAgo: 40, project: "search", task: "", nanos: 2_000),
        called("call-4", minutesAgo: 30, nanos: nil),
    ]

    private func withCalls(_ more: [FinOpsEvent] = [], _ body: (WrittenLog) async throws -> Void) async throws {
        try await WrittenLog.with { log in
            try log.append(ReportedEvents.directory + Self.events + more)
            try await log.run("projector", ["catch-up"]).expecting()
            try await body(log)
        }
    }

    @Test func everyAttemptOfTheLastHourIsARow() async throws {
        try await withCalls { log in
            let answer = try await log.answer("calls --last 1h")
            let calls = answer["calls"]?.array ?? []
            #expect(calls.map { $0["call"]?.string } == ["call-4", "call-3", "call-2"])
            #expect(answer["next"] == .null && answer["stale"]?.bool == false)
            let call = try #require(calls.last)
            for (name, text) in [
                ("gateway", "gateway"), ("key", "key-ranking"), ("project", "ranking"), ("team", "search"),
                ("task_type", "chat"), ("user", "u-42"), ("model_asked", "gpt-4o"), ("model", "gpt-4o-2024-08-06"),
                ("service_tier", "default"), ("route", "/v1/chat/completions"), ("upstream", "main"),
                ("cost", "0.000001500"), ("price_version", "2026-11-01"), ("basis", "estimated"), ("ended", "complete"),
                ("started", "2026-11-22T02:10:00.000000Z"),
            ] { #expect(call[name]?.string == text, "\(name)") }
            for (name, count) in [
                ("attempt", 1), ("uncached_input_tokens", 70), ("cached_input_tokens", 30), ("cache_write_tokens", 0),
                ("output_tokens", 20), ("audio_input_tokens", 0), ("image_output_tokens", 0), ("cost_nano", 1_500),
                ("status", 200),
            ] { #expect(call[name]?.integer == Int64(count), "\(name)") }
            #expect(call["first_byte_ms"]?.text == "250.125" && call["duration_ms"]?.text == "900.000")
            #expect(call["usage_estimated"] == .null && call["intent"] == .null)
            #expect(call["metadata"] == ["build": "=7", "tenant": "acme"] && calls[1]["metadata"] == .null)
            // Whoever reads the answer is told which fields nobody has checked, and each of them is one of a row.
            let said = answer["caller_supplied"]?.array?.compactMap(\.string) ?? []
            #expect(said == ["task_type", "intent", "feature", "user", "metadata"])
            let names = call.members?.map(\.name) ?? []
            #expect(Set(said).isSubset(of: names))
            #expect(calls[0]["cost"] == .null && calls[0]["unpriced_reason"]?.string == "no price")
            #expect(calls[1]["team"] == .null && calls[1]["task_type"] == .null)
            let page = try await log.answer("calls --from 2026-11-22 --limit 3")
            let next = try #require(page["next"]?.string)
            let rest = try await log.answer("calls --from 2026-11-22 --limit 3 --after \(next)")
            #expect(rest["calls"]?.array?.map { $0["call"]?.string } == ["call-1"])
            let filtered = try await log.answer("calls --last 2h --project search --key key-search")
            #expect(filtered["calls"]?.array?.map { $0["call"]?.string } == ["call-3"])
            // A slip of the hand is told from a project without calls.
            let slip = try await log.reporter("calls --project rankin --key key-none --json").expecting()
            #expect(try slip.json()["calls"] == [])
            for missing in [#"no project "rankin""#, #"no key of the gateway "key-none""#] {
                #expect(slip.standardError.contains(missing))
            }
            let known = try await log.reporter("costs --project ranking --team search --json").expecting()
            #expect(known.standardError.isEmpty)
            let rows = try await log.reporter("calls --last 2h --csv").expecting().standardOutput
            #expect(rows.split(whereSeparator: \.isNewline).count == 5)
            let table = try await log.reporter("calls --limit 1").expecting().standardOutput
            #expect(table.contains("unpriced") && table.contains("More: --after "))
        }
    }

    @Test func costsOfCallsCountAtOnceAndByWhatTheCallersSaid() async throws {
        try await withCalls { log in
            let estimated = try await log.answer("costs --by task-type,project --basis estimated")
            let figures = (estimated["rows"]?.array ?? []).map {
                [$0["task_type"]?.string, $0["project"]?.string, $0["cost"]?.string]
            }
            #expect(figures == [["chat", "ranking", "0.000003000"], [nil, "search", "0.000002000"]])
            #expect(estimated["caller_supplied"] == ["task_type"])
            #expect(estimated["total"]?["cost_nano"]?.integer == 5_000)
            #expect(estimated["total"]?["unpriced"]?["requests"]?.integer == 1)
            let best = try await log.answer("costs --by project")
            #expect(best["total"]?["cost_nano"]?.integer == 5_000 && best["total"]?["requests"]?.integer == 4)
            let chat = try await log.answer("costs --task-type chat")
            #expect(chat["total"]?["cost_nano"]?.integer == 3_000)
            #expect(try await log.answer("summary")["this_week"]?["cost"]?.string == "0.000005000")
            let explained = try await log.answer("explain --project search")
            #expect(explained["events"]?.array?.map { $0["type"]?.string } == ["call.recorded"])
        }
    }

    @Test func aDisabledKeyIsToldWithWhatEveryGatewayMadeOfIt() async throws {
        let decided = WrittenLog.now.microseconds
        let kill: [FinOpsEvent] = [
            .keyIssued(
                .with {
                    $0.key = "key-ranking"
                    $0.project = "ranking"
                }),
            .keyDisabled(
                .with {
                    $0.key = "key-ranking"
                    $0.cause = "person"
                    $0.reason = "leaked"
                }),
        ]
        let proof: FinOpsEvent = .keyDisablementEnforced(
            .with {
                $0.key = "key-ranking"
                $0.gateway = "gateway"
                $0.decision = 11
                $0.decided = decided
                $0.enforced = decided + 12_345
                $0.lastAccepted = decided - 2_000
                $0.lastCall = "call-4"
            })
        try await withCalls(kill) { log in
            let open = try await log.answer("kills")["kills"]?.array?.first
            #expect(open?["position"]?.integer == 11 && open?["acknowledged"]?.bool == false)
            #expect(open?["gateways"]?.array?.map { $0["gateway"]?.string } == ["gateway"])
            let told = try await log.reporter("kills").expecting().standardOutput
            #expect(told.contains("NOT ACKNOWLEDGED: gateway"))
            try log.append([proof])
            try await log.run("projector", ["catch-up"]).expecting()
            let kill = try #require(try await log.answer("kills")["kills"]?.array?.first)
            for (name, text) in [
                ("key", "key-ranking"), ("project", "ranking"), ("actor", "tester"), ("reason", "leaked"),
                ("cause", "person"), ("decided", "2026-11-22T03:00:00.000000Z"),
            ] { #expect(kill[name]?.string == text, "\(name)") }
            #expect(kill["acknowledged"]?.bool == true && kill["drill"]?.bool == false)
            let gateway = try #require(kill["gateways"]?.array?.first)
            #expect(gateway["acknowledged_ms"]?.text == "12.345" && gateway["last_accepted_ms"]?.text == "-2.000")
            #expect(gateway["last_call"]?.string == "call-4")
        }
    }

    @Test func estimatesAreHeldAgainstUsageAndWhatNothingExplainsEndsACheck() async throws {
        var row = ReportedEvents.row("2026-11-22T02", key: "key-up", model: "gpt-4o-2024-08-06", nanos: 9_000)
        row.quantities.requests = 3
        row.quantities.inputTokens = 400
        try await withCalls([ReportedEvents.recorded(row)]) { log in
            let line = "reconcile --from 2026-11-22 --to 2026-11-22"
            let answer = try await log.answer(line)
            let days = answer["rows"]?.array ?? []
            #expect(days.map { $0["key"]?.string } == ["key-up"] && days.map { $0["day"]?.string } == ["2026-11-22"])
            #expect(days.first?["estimated_nano"]?.integer == 5_000 && days.first?["metered_nano"]?.integer == 9_000)
            #expect(days.first?["billed"] == .null && days.first?["metered_to_billed"] == .null)
            let step = try #require(days.first?["estimated_to_metered"])
            let causes = (step["causes"]?.members ?? []).compactMap { $0.value.string }
            #expect(causes.count == 7 && step["difference"]?.string == "0.000004000")
            #expect(days.first?["provider"] == "openai" && days.first?["model"] == "gpt-4o-2024-08-06")
            #expect(answer["totals"]?["metered"]?.string == "0.000009000")
            // 700,000 nano-dollars of the 9,000 that are metered: the calls' costs are invented, their tokens are not.
            #expect(answer["totals"]?["unexplained_percent"] == .number("7777.7778"))
            #expect(answer["totals"]?["unexplained_nano"]?.integer == step["unexplained_nano"]?.integer.map(abs))
            let refused = try await log.reporter("\(line) --check 1% --json").expecting(3)
            #expect(refused.standardError.contains("unexplained"))
            #expect(try refused.json()["totals"]?["unexplained_percent"] == answer["totals"]?["unexplained_percent"])
            for more in ["--check much", "--check -1%"] { try await log.reporter("\(line) \(more)").expecting(64) }
            try await log.reporter("reconcile --from 2026-11-01 --to 2026-11-02 --check 0%").expecting()
        }
    }

    /// Of two days that have been over for a day, nearly all of the 19th is unexplained and three fifths of the 20th.
    @Test(arguments: [("1%", ["2026-11-19", "2026-11-20"]), ("70%", ["2026-11-19"])])
    func aDayOfWhichMoreIsUnexplainedThanMayBeIsACondition(_ allowed: String, _ days: [String]) async throws {
        let dayMinutes: Int64 = 1_440
        // A day of which the provider has told nothing at all is not compared.
        let unseen = ReportedEvents.row("2026-11-20T05", key: "key-x", nanos: 1_000)
        let little = ReportedEvents.row("2026-11-19T05", key: "key-x", nanos: 100)
        let events = [
            Self.called("early", minutesAgo: 2 * dayMinutes), Self.called("earlier", minutesAgo: 3 * dayMinutes),
            ReportedEvents.recorded(unseen), ReportedEvents.recorded(little),
        ]
        try await withCalls(events) { log in
            try Data("reconcile_alert_above: \(allowed)\n".utf8).write(
                to: URL(filePath: log.directory.configuration))
            let server = try log.start("event-log", ["serve"])
            defer { server.send(SIGKILL) }
            try await eventually("the log serves: \(server.standardErrorSoFar)") {
                server.standardErrorSoFar.contains("msg=ready")
            }
            let projector = try log.start("projector", ["run"])
            defer { projector.send(SIGKILL) }
            var told: [WireConditionRaised] = []
            // All that is found is told in one append.
            try await eventually("the condition is told: \(projector.standardErrorSoFar)") {
                let reader = SQLiteEventReader(files: LogFiles(database: log.directory.logDatabase))
                told = try await reader.readAll(stream: .conditions("costs-unexplained")).compactMap {
                    if case .conditionRaised(let event)? = try EventCatalogue.decode($0.event) { event } else { nil }
                }
                return !told.isEmpty
            }
            #expect(told.map(\.subject) == days.map { "openai/\($0)" })
            let details = [
                "2026-11-19": "unexplained are 0.000001500 of 0.000001600 USD (93.75 %)",
                "2026-11-20": "unexplained are 0.000001500 of 0.000002500 USD (60.00 %)",
            ]
            #expect(told.map(\.detail) == days.map { details[$0] })
            for program in [projector, server] {
                program.send(SIGTERM)
                _ = await program.wait()
            }
        }
    }

    @Test func theProjectorShowsHowMuchOfTheLastDaysNothingExplains() async throws {
        let other = ReportedEvents.row("2026-11-21T05", key: "key-x", nanos: 1_000)
        try await withCalls([Self.called("early", minutesAgo: 1_440), ReportedEvents.recorded(other)]) { log in
            let projector = try log.start("projector", ["run"])
            defer { projector.send(SIGKILL) }
            let socket = try log.directory.healthSocket(stage: "projector")
            // 1,500 estimated and not metered, of those and 1,000 that no gateway saw.
            try await eventually("the projector has reconciled") {
                HealthClient.get("/metrics", socket: socket)?.body
                    .contains(#"finops_reconcile_unexplained_ratio{stage="projector"} 0.6"#) == true
            }
            projector.send(SIGTERM)
            _ = await projector.wait()
        }
    }
}
