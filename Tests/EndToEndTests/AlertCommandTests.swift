import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// What an operator is told and says about alerts that stand.
@Suite(.serialized) struct AlertCommandTests {
    private func crossed(_ level: UInt32, on day: Day) -> FinOpsEvent {
        .thresholdCrossed(
            .with {
                ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", "chat", "day", day.description)
                ($0.level, $0.zone) = (level, "Asia/Seoul")
                ($0.cost.nanos, $0.cost.currency) = (12_345_000_000, "USD")
                ($0.limit.nanos, $0.limit.currency) = (10_000_000_000, "USD")
            })
    }

    private func list(_ installation: Installation, _ arguments: String...) async throws -> JSONValue {
        try await installation.run("finops", arguments: ["alert", "list", "--json"] + arguments).expecting().json()
    }

    private func changed(_ installation: Installation, _ line: String) async throws -> Bool? {
        let words = line.split(separator: " ").map(String.init) + ["--json"]
        return try await installation.run("finops", arguments: words).expecting().json()["changed"]?.bool
    }

    private func said(of scope: CostScope, _ installation: Installation) async throws -> [RecordedEvent] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        return try await log.readAll(stream: .threshold(scope))
    }

    @Test(arguments: [false, true])
    func whatStandsIsListedAcknowledgedAndSnoozed(_ isRunning: Bool) async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let up = isRunning ? try installation.start("finops", ["up"]) : nil
            if isRunning { try await installation.allReady() }
            #expect(try await list(installation)["alerts"] == [])
            let today = Day(utc: wallTime())
            try await installation.smuggle(crossed(80, on: today), into: .alerts(.day, firstDay: today))
            let old = today.advanced(by: -40)
            try await installation.smuggle(crossed(100, on: old), into: .alerts(.day, firstDay: old))

            let alert = try #require(try await list(installation)["alerts"]?.array?.first)
            #expect(alert["scope"] == "project" && alert["name"] == "chat" && alert["level"] == 80)
            #expect(alert["cost"] == "12.345000000" && alert["limit"] == "10.000000000" && alert["currency"] == "USD")
            #expect(alert["first_fired"]?.string != nil && alert["cleared"]?.isNull == true)
            #expect(alert["acknowledged_by"]?.isNull == true && alert["snoozed_until"]?.isNull == true)
            #expect(try await list(installation)["alerts"]?.array?.count == 1)
            #expect(try await list(installation, "--all")["alerts"]?.array?.count == 2)

            try await acknowledge(installation, old)
            try await snooze(installation)
            up?.send(SIGTERM)
            try await up?.wait(limit: .seconds(20)).expecting()
        }
    }

    private func acknowledge(_ installation: Installation, _ old: Day) async throws {
        #expect(try await changed(installation, "alert ack --project chat --reason mine") == true)
        #expect(try await changed(installation, "alert ack --project chat --reason again") == false)
        let people = try await installation.run("finops", "person", "list", "--json").expecting().json()
        let me = try #require(people.array?.first)
        let alert = try await list(installation)["alerts"]?.array?.first
        #expect(alert?["acknowledged_by"] == me["id"] && alert?["acknowledgement"] == "mine")
        let table = try await installation.run("finops", "alert", "list").expecting().standardOutput
        #expect(table.contains(try #require(me["name"]?.string)) && table.contains("12.34  10.00"))
        // An older window by its day.
        #expect(try await changed(installation, "alert ack --project chat --window day --day \(old)") == true)
        let none = try await installation.run("finops", "alert", "ack", "--project", "chat", "--window", "week")
        #expect(none.status == 1 && none.standardError.contains("finops alert list"), "\(none.standardError)")
        let events = try await said(of: .project("chat"), installation)
        #expect(events.map(\.type) == ["alert.acknowledged", "alert.acknowledged"])
        #expect(events.allSatisfy { $0.event.actor == me["id"]?.string })
    }

    private func snooze(_ installation: Installation) async throws {
        let refused = try await installation.run("finops", "alert", "snooze", "--project", "chat", "--for", "4h")
        #expect(refused.status == 1 && refused.standardError.contains("finops threshold list"))
        let threshold = WireThresholdSet.with {
            ($0.scope, $0.name, $0.zone, $0.levels) = ("project", "chat", "Asia/Seoul", [80, 100])
            ($0.daily.nanos, $0.daily.currency) = (10_000_000_000, "USD")
        }
        try await installation.smuggle(.thresholdSet(threshold), into: .threshold(.project("chat")))
        #expect(try await changed(installation, "alert snooze --project chat --for 4h --reason test") == true)
        let snooze = try #require(try await list(installation)["snoozes"]?.array?.first)
        #expect(snooze["name"] == "chat")
        let until = try #require(snooze["snoozed_until"]?.string.flatMap(Timestamp.init(rfc3339:)))
        #expect((14_300...14_400).contains(until.seconds - wallTime().seconds))
        #expect(try await changed(installation, "alert snooze --project chat --off") == true)
        #expect(try await changed(installation, "alert snooze --project chat --off") == false)
        #expect(try await list(installation)["snoozes"] == [])
        // Nine o'clock in Seoul is the beginning of a day in UTC: tomorrow's may be a moment away.
        let later = Day(utc: wallTime()).advanced(by: 2)
        let exact = "alert snooze --project chat --until \(later)T09:00"
        #expect(try await changed(installation, exact) == true)
        #expect(try await changed(installation, exact) == false)
        let events = try await said(of: .project("chat"), installation).filter { $0.type == "alert.snoozed" }
        guard case .alertSnoozed(let last) = try #require(try events.last.map { try EventCatalogue.decode($0.event) })
        else {
            Issue.record("no alert.snoozed")
            return
        }
        #expect(last.until == BusinessCalendar("Asia/Seoul")?.start(of: later).advanced(bySeconds: 32_400).seconds)
    }

    @Test func aConditionStandsUntilItEnds() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let raised = WireConditionRaised.with {
                ($0.kind, $0.subject, $0.since, $0.detail) = ("source-silent", "openai/acme", 1_790_000_000, "26 h")
            }
            try await installation.smuggle(.conditionRaised(raised), into: .conditions(raised.kind))
            let condition = try #require(try await list(installation)["conditions"]?.array?.first)
            #expect(condition["condition"] == "source-silent" && condition["subject"] == "openai/acme")
            #expect(condition["since"]?.string == Timestamp(seconds: 1_790_000_000).rfc3339Seconds)
            let ended = WireConditionEnded.with { ($0.kind, $0.subject) = ("source-silent", "openai/acme") }
            try await installation.smuggle(.conditionEnded(ended), into: .conditions(ended.kind))
            #expect(try await list(installation)["conditions"] == [])
            #expect(try await list(installation, "--all")["conditions"]?.array?.first?["ended"]?.string != nil)
        }
    }

    @Test func aRefusalNamesTheFieldAndTheRemedy() async throws {
        try await Installation.with { installation in
            let before = try await installation.run("finops", "alert", "list").expecting(1)
            #expect(before.standardError.contains("finops init"))
            try await installation.run("finops", "init").expecting()
            let refusals: [(line: String, status: Int32, words: String)] = [
                ("alert ack", 64, "give one of --project, --team and --organisation"),
                ("alert ack --project chat --organisation", 64, "give one of --project, --team and --organisation"),
                ("alert ack --project chat", 1, "no alert of project \"chat\" stands there: `finops alert list`"),
                ("alert ack --organisation --day 2026-02-30", 64, "--day"),
                ("alert ack --organisation --window month", 64, "--window"),
                ("alert snooze --team none --for 4h", 64, "--team: it is the word"),
                ("alert snooze --team search", 64, "give one of --for, --until and --off"),
                ("alert snooze --team search --for 4h --off", 64, "give one of --for, --until and --off"),
                ("alert snooze --team search --for 4", 64, "--for: \"4\" is no span; write it like 90m, 4h or 2d"),
                ("alert snooze --team search --until noon", 64, "--until: \"noon\" is no time; write it like 18:00"),
                ("alert snooze --team search --for 4h", 1, "finops threshold list"),
            ]
            for refusal in refusals {
                let words = refusal.line.split(separator: " ").map(String.init)
                let result = try await installation.run("finops", arguments: words)
                #expect(result.status == refusal.status, "\(refusal.line): \(result.standardError)")
                #expect(result.standardError.contains(refusal.words), "\(result.standardError)")
            }
        }
    }
}
