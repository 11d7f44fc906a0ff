import EventLog
import FinOps
import JSON
import SwiftProtobuf
import Testing

@testable import Projections

@Suite struct CallFoldTests {
    private let days = ("2026-11-01", "2026-11-30")

    private func log(_ events: [FinOpsEvent]) async throws -> ScenarioLog {
        let log = ScenarioLog()
        try await log.append(events)
        try await log.catchUp()
        #expect(try await log.rebuild() == log.catchUp())
        return log
    }

    private func costs(
        _ log: ScenarioLog, _ by: [CostDimension], basis: CostQuery.Basis = .best,
        filters: [CostDimension: String] = [:]
    ) throws -> [[String?]: Int128] {
        let report = try log.query(by, from: days.0, to: days.1, basis: basis, filters: filters)
        return Dictionary(uniqueKeysWithValues: report.rows.map { ($0.dimensions, $0.sums.cost) })
    }

    private func calls(_ log: ScenarioLog, project: String? = nil, limit: Int = 100) throws -> [CallEntry] {
        let span = Timestamp(seconds: 0)..<Timestamp(microseconds: .max)
        return try ProjectionReader(path: log.files.current).calls(
            CallQuery(span: span, project: project, limit: limit)
        ).calls
    }

    /// A caller may give all its calls one name, and two gateways may be called in the same microsecond.
    @Test func callsOfTwoGatewaysAreTwoWhateverTheirName() async throws {
        let log = try await log([
            projectAdded("ranking", team: "search"),
            called("call-1", at: "2026-11-19T05", nanos: 1_000), called("call-1", at: "2026-11-19T05", nanos: 1_000),
            called("call-1", at: "2026-11-19T05", nanos: 20_000, gateway: "gateway-2"),
        ])
        #expect(try calls(log).count == 2)
        #expect(try costs(log, [.project]) == [["ranking"]: 21_000])
    }

    @Test func aCallIsARowWithAllThatIsKnownOfIt() async throws {
        let log = try await log([
            projectAdded("ranking", team: "search"),
            called(
                "call-1", at: "2026-11-19T05", input: 100, cached: 40, output: 10, nanos: 1_234, task: "summary",
                intent: "help", feature: "inbox", metadata: ["tenant": "\"acme\"", "build": "7"]),
        ])
        let call = try #require(try calls(log).first)
        #expect(call.metadata == ["build": "7", "tenant": "\"acme\""])
        #expect(call.call == "call-1" && call.attempt == 1 && call.gateway == "gateway" && call.key == "key-1")
        #expect(call.project == "ranking" && call.team == "search" && call.user == "u-1")
        #expect(call.taskType == "summary" && call.intent == "help" && call.feature == "inbox")
        #expect(call.model == "gpt-4o" && call.modelAsked == "gpt-4o-latest" && call.serviceTier == "default")
        #expect(call.provider == "openai" && call.account == "acme" && call.upstream == "main")
        #expect(call.tokens?.counts[.input] == 60 && call.tokens?.counts[.cachedInput] == 40)
        #expect(call.tokens?.counts[.output] == 10)
        #expect(call.cost == 1_234 && call.currency == "USD" && call.priceVersion == "2026-11-01")
        #expect(call.usageEstimated == nil && call.status == 200 && call.ended == "complete")
        #expect(call.started.microseconds == (seconds("2026-11-19T05") + 60) * 1_000_000 + 123_456)
        #expect(call.firstByteMicroseconds == 210_500 && call.durationMicroseconds == 1_500_000)
    }

    @Test func callsOfAnHourAreOneCellAndAnAttemptSaidTwiceCountsOnce() async throws {
        let log = try await log([
            called("call-1", at: "2026-11-19T05", nanos: 5), called("call-1", at: "2026-11-19T05", nanos: 5),
            called("call-1", at: "2026-11-19T05", minute: 2, attempt: 2, nanos: 7),
            called("call-2", at: "2026-11-19T06", nanos: 11, version: "2026-11-02"),
        ])
        let report = try log.query([.hour], from: days.0, to: days.1, basis: .estimated)
        #expect(report.rows.map(\.sums.cost) == [12, 11] && report.rows.map(\.sums.requests) == [2, 1])
        #expect(try calls(log).map(\.attempt) == [1, 2, 1])
        #expect(report.total.inputTokens == 300)
    }

    @Test func costsOfCallsAreGroupedByWhatTheCallersSaid() async throws {
        let log = try await log([
            projectAdded("ranking", team: "search"),
            called("1", at: "2026-11-19T05", nanos: 1, task: "chat", intent: "ask", feature: "box"),
            called("2", at: "2026-11-19T05", nanos: 2, task: "chat", feature: "box"),
            called("3", at: "2026-11-19T05", project: "other", nanos: 4),
            recorded(usage("2026-11-19T09", key: "key-z", nanos: 8)),
        ])
        #expect(
            try costs(log, [.taskType, .project], basis: .estimated) == [
                ["chat", "ranking"]: 3, [nil, "other"]: 4,
            ])
        #expect(try costs(log, [.intent]) == [["ask"]: 1, [nil]: 14])
        #expect(try costs(log, [.feature], filters: [.taskType: "chat"]) == [["box"]: 3])
        #expect(try costs(log, [.team]) == [["search"]: 3, [nil]: 12])
        #expect(try costs(log, [.key], basis: .estimated) == [["key-1"]: 7])
    }

    @Test func anEstimateYieldsToUsageOfItsKeyModelTierAndHour() async throws {
        let estimate = called("1", at: "2026-11-19T05", nanos: 100)
        let cases: [(WireUsageRow, Int128)] = [
            (usage("2026-11-19T05", nanos: 90), 90), (usage("2026-11-19T06", nanos: 90), 190),
            (usage("2026-11-19T05", key: "key-b", nanos: 90), 190),
            (usage("2026-11-19T05", model: "gpt-4o-mini", nanos: 90), 190),
            (usage("2026-11-19T05", project: "proj-2", nanos: 90), 190),
            // The provider took back what it said.
            (usage("2026-11-19T05", input: 0, output: 0, nanos: 0, requests: 0), 100),
        ]
        for (row, expected) in cases {
            for events in [[estimate, recorded(row)], [recorded(row), estimate]] {
                let log = try await log(events)
                #expect(try log.query(from: days.0, to: days.1).total.cost == expected)
                #expect(try log.query(from: days.0, to: days.1, basis: .estimated).total.cost == 100)
                #expect(try log.query([.hour], from: days.0, to: days.1).total.cost == expected)
            }
        }
        var priority = usage("2026-11-19T05", nanos: 90)
        priority.serviceTier = "priority"
        #expect(try await log([estimate, recorded(priority)]).query(from: days.0, to: days.1).total.cost == 190)
        let unnamed = called("1", at: "2026-11-19T05", providerKey: nil, providerProject: nil, nanos: 100)
        let log = try await log([unnamed, recorded(usage("2026-11-19T05", key: "key-b", nanos: 90))])
        #expect(try log.query(from: days.0, to: days.1).total.cost == 90)
    }

    @Test func anEstimateYieldsToTheBillOfItsDayAndKeepsItsTokens() async throws {
        let bill = allocated(
            day: "2026-11-19", project: "proj-1", item: nil, nanos: 70, parts: [("2026-11-19T05", nil, nil, 70)])
        for providerProject in ["proj-1", nil] {
            let log = try await log([
                called("1", at: "2026-11-19T05", providerProject: providerProject, nanos: 100),
                called("2", at: "2026-11-20T05", providerProject: providerProject, nanos: 1),
                bill, tookForce(day: "2026-11-19", project: "proj-1"),
            ])
            for by: [CostDimension] in [[], [.hour], [.key]] {
                let total = try log.query(by, from: days.0, to: days.1).total
                #expect(total.cost == 71 && total.inputTokens == 200)
            }
            try await log.append([leftForce(day: "2026-11-19", project: "proj-1")])
            try await log.catchUp()
            #expect(try log.query(from: days.0, to: days.1).total.cost == 101)
            #expect(try await log.rebuild() == log.catchUp())
        }
    }

    @Test func usageOfAKeyIsSharedAmongTheProjectsThatCalledWithIt() async throws {
        let log = try await log([
            projectAdded("a", team: "red"), projectAdded("b", team: "blue"),
            called("1", at: "2026-11-19T05", project: "a", nanos: 20),
            called("2", at: "2026-11-19T05", key: "key-2", project: "b", nanos: 10),
            assigned(key: "key-a", team: "platform", project: "shared", version: 1),
            recorded(usage("2026-11-19T05", input: 301, output: 1, nanos: 100)),
            recorded(usage("2026-11-19T06", nanos: 1_000)),
        ])
        let expected: [[String?]: Int128] = [["red", "a"]: 67, ["blue", "b"]: 33, ["platform", "shared"]: 1_000]
        #expect(try costs(log, [.team, .project]) == expected)
        #expect(try costs(log, [.team, .project, .key]).values.reduce(0, +) == 1_100)
        let hours = try log.query([.project, .hour], from: days.0, to: days.1, filters: [.project: "a"])
        #expect(hours.total.cost == 67 && hours.total.inputTokens == 201)
        let explained = try ProjectionReader(path: log.files.current).explain(
            {
                var query = CostQuery(by: [], from: Day(days.0)!, through: Day(days.1)!)
                query.filters = [.project: "b"]
                return query
            }(), limit: 9)
        #expect(explained.cost == 33 && explained.evidence.map(\.rule) == ["calls"])
        // A later word about the key changes nothing about what its calls tell; the project's team does.
        try await log.append([
            assigned(key: "key-a", team: "late", project: "late", version: 9), projectMoved("a", team: "green"),
            called("3", at: "2026-11-19T05", key: "key-2", project: "b", nanos: 10),
        ])
        try await log.catchUp()
        #expect(try costs(log, [.team]) == [["green"]: 50, ["blue"]: 50, ["late"]: 1_000])
        #expect(try await log.rebuild() == log.catchUp())
    }

    @Test func aProjectsTeamIsTheOneOfTheHour() async throws {
        let log = try await log([
            called("1", at: "2026-11-19T05", nanos: 1), called("2", at: "2026-11-19T08", nanos: 2),
            projectAdded("ranking", team: "old"),
            projectMoved("ranking", team: "new", from: seconds("2026-11-19T07")),
        ])
        #expect(try costs(log, [.team]) == [["old"]: 1, ["new"]: 2])
        #expect(try calls(log).map(\.team) == ["new", "old"])
    }

    @Test func whatHasNoPriceIsToldAndNotFree() async throws {
        let log = try await log([
            called("1", at: "2026-11-19T05", input: 7, output: 3, nanos: nil),
            called("2", at: "2026-11-19T05", minute: 2, nanos: 5),
        ])
        let report = try log.query([.model], from: days.0, to: days.1)
        #expect(report.total.cost == 5)
        #expect(report.unpriced == UnpricedSums(rows: 1, inputTokens: 7, outputTokens: 3, requests: 1))
        #expect(try calls(log).map(\.cost) == [5, nil])
    }

    @Test func aCallThatCannotBeHalts() async throws {
        for (change, reason) in [
            ({ $0.started = -1 }, "no time"), ({ $0.duration = -1 }, "no duration"), ({ $0.account = "" }, "account"),
            ({ $0.quantities.inputTokens = -1 }, "count"), ({ $0.cost.currency = "" }, "currency"),
        ] as [((inout WireCallRecorded) -> Void, String)] {
            guard case .callRecorded(var call) = called("1", at: "2026-11-19T05") else {
                Issue.record("no call")
                return
            }
            change(&call)
            let log = ScenarioLog()
            try await log.append([.callRecorded(call)])
            let halt = await #expect(throws: ProjectionHalt.self) { try await log.catchUp() }
            #expect(halt?.reason.contains(reason) == true)
        }
    }

    @Test func callsComeInPagesNewestFirst() async throws {
        let log = try await log(
            (0..<50).map { called("call-\($0 % 7)", at: "2026-11-19T0\($0 % 5)", minute: $0 / 5, attempt: UInt32($0)) })
        let reader = try ProjectionReader(path: log.files.current)
        var query = CallQuery(span: Timestamp(seconds: 0)..<Timestamp(microseconds: .max), limit: 7)
        var read: [CallEntry] = []
        for _ in 0..<8 {
            let page = try reader.calls(query)
            read += page.calls
            guard let next = page.next else { break }
            query.after = CallQuery.Cursor(next.text)
        }
        #expect(read.count == 50 && Set(read.map(\.attempt)).count == 50)
        #expect(read.map(\.started) == read.map(\.started).sorted(by: >))
    }
}

@Suite struct KillFoldTests {
    private func enforced(
        _ decision: UInt64, _ gateway: String, after: Int64, last: Int64? = nil, call: String = ""
    ) -> FinOpsEvent {
        .keyDisablementEnforced(
            .with {
                $0.key = "key-1"
                $0.gateway = gateway
                $0.decision = decision
                $0.decided = 1_790_000_000_000_000
                $0.enforced = 1_790_000_000_000_000 + after
                if let last { $0.lastAccepted = 1_790_000_000_000_000 + last }
                $0.lastCall = call
            })
    }

    private func disabled(_ cause: String) -> FinOpsEvent {
        .keyDisabled(
            .with {
                $0.key = "key-1"
                $0.cause = cause
                $0.reason = "leaked"
            })
    }

    @Test func aKillNamesWhatEachGatewayMadeOfIt() async throws {
        let log = ScenarioLog()
        try await log.append([
            .keyIssued(
                .with {
                    $0.key = "key-1"
                    $0.project = "ranking"
                }),
            called("1", at: "2026-09-21T12", gateway: "one"), called("2", at: "2026-09-21T12", gateway: "two"),
            called("3", at: "2026-09-11T12", gateway: "gone"),
            disabled("person"), enforced(5, "one", after: 12_345, last: -1_000, call: "1"),
            enforced(5, "one", after: 900_000, last: 2_000, call: "9"), disabled("drill"),
        ])
        try await log.catchUp()
        let kills = try ProjectionReader(path: log.files.current).kills(limit: 9)
        #expect(kills.map(\.cause) == ["drill", "person"] && kills.map(\.isDrill) == [true, false])
        let kill = try #require(kills.last)
        #expect(kill.project == "ranking" && kill.actor == "someone" && kill.reason == "leaked")
        #expect(kill.gateways.map(\.gateway) == ["one", "two"] && !kill.isAcknowledged)
        #expect(kill.gateways[0].enforced == Timestamp(microseconds: 1_790_000_000_012_345))
        #expect(kill.gateways[0].lastAccepted == Timestamp(microseconds: 1_790_000_000_002_000))
        #expect(kill.gateways[0].lastCall == "9" && kill.gateways[1].enforced == nil)
        try await log.append([enforced(5, "two", after: 1)])
        try await log.catchUp()
        #expect(try ProjectionReader(path: log.files.current).kills(limit: 9).last?.isAcknowledged == true)
        #expect(try await log.rebuild() == log.catchUp())
    }
}
