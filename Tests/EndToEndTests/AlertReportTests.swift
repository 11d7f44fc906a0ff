import EventLog
import FinOps
import SwiftProtobuf
import Foundation
import JSON
import Testing

/// `reporter alerts` and `reporter notifications` as they are typed.
@Suite struct AlertReportTests {
    private static func usd(_ nanos: Int64) -> WireMoney {
        .with {
            $0.nanos = nanos
            $0.currency = "USD"
        }
    }

    private static func crossed(_ name: String, level: UInt32, cost: Int64) -> FinOpsEvent {
        .thresholdCrossed(
            .with {
                $0.scope = "project"
                $0.name = name
                $0.team = "검색팀"
                $0.window = "day"
                $0.firstDay = "2026-11-21"
                $0.windowStart = Day("2026-11-20")!.utcStart.seconds + 15 * 3_600
                $0.windowEnd = Day("2026-11-21")!.utcStart.seconds + 15 * 3_600
                $0.zone = "Asia/Seoul"
                $0.level = level
                $0.limit = usd(10_000_000_000)
                $0.cost = usd(cost)
                $0.basis = "metered"
                $0.position = 6
                $0.usageThrough = Day("2026-11-20")!.utcStart.seconds + 20 * 3_600
                $0.forecast = usd(24_680_000_000)
                $0.cause = .with {
                    $0.provider = "openai"
                    $0.apiKeyID = "key-a"
                    $0.model = "gpt-4o"
                    $0.cost = usd(9_000_000_000)
                    $0.growth = usd(8_000_000_000)
                }
            })
    }

    private static let cleared = FinOpsEvent.thresholdCleared(
        .with {
            $0.scope = "project"
            $0.name = "search-api"
            $0.window = "day"
            $0.firstDay = "2026-11-21"
            $0.level = 100
            $0.cost = usd(9_990_000_000)
            $0.reason = "cost"
        })

    private static let silent = FinOpsEvent.conditionRaised(
        .with {
            $0.kind = "source-silent"
            $0.subject = "openai/acme"
            $0.since = WrittenLog.now.seconds - 26 * 3_600
            $0.detail = "nothing for 26 h"
        })

    private static func queued(_ item: String, cause: UInt64) -> FinOpsEvent {
        .notificationQueued(
            .with {
                $0.destination = "slack"
                $0.item = item
                $0.kind = "crossed"
                $0.cause = cause
            })
    }

    private static func attempt(_ number: UInt32) -> FinOpsEvent {
        .notificationStarted(
            .with {
                $0.destination = "slack"
                $0.notification = "note-1"
                $0.items = ["1"]
                $0.attempt = number
                $0.uncertain = number > 1
            })
    }

    private static let told: [FinOpsEvent] = [
        queued("1", cause: 1), queued("2", cause: 2), attempt(1),
        .notificationFailed(
            .with {
                $0.destination = "slack"
                $0.notification = "note-1"
                $0.attempt = 1
                $0.code = "timed-out"
                $0.message = "no answer within 10 s"
                $0.uncertain = true
                $0.retriable = true
            }), attempt(2),
        .notificationDelivered(
            .with {
                $0.destination = "slack"
                $0.notification = "note-1"
                $0.attempt = 2
                $0.answer = "200 ok"
                $0.milliseconds = 120
            }),
    ]

    private func withAlerts(_ body: (WrittenLog) async throws -> Void) async throws {
        try await WrittenLog.with { log in
            try log.append([Self.crossed("search-api", level: 80, cost: 8_123_456_789)])
            try log.append([Self.crossed("search-api", level: 100, cost: 12_349_999_999), Self.silent])
            try log.append(Self.told + [Self.cleared])
            try await log.run("projector", ["catch-up"]).expecting()
            try await body(log)
        }
    }

    @Test func alertsAreListedWithMoneyPerCentAndState() async throws {
        try await withAlerts { log in
            let answer = try await log.answer("alerts")
            let alerts = answer["alerts"]?.array ?? []
            #expect(alerts.map { $0["level"]?.integer } == [100, 80])
            #expect(alerts.map { $0["state"]?.string } == ["cleared", "open"])
            #expect(alerts.map { $0["percent"]?.string } == ["123.5", "81.2"])
            #expect(alerts.map { $0["cost"]?.string } == ["12.349999999", "8.123456789"])
            #expect(alerts.map { $0["cleared_reason"]?.string } == ["cost", nil])
            #expect(alerts.map { $0["notified"]?.string } == [nil, "2026-11-22T03:00:00Z"])
            #expect(alerts.first?["window_start"]?.string == "2026-11-21T00:00:00+09:00")
            #expect(
                alerts.first?["cause_key"]?.string == "key-a" && alerts.first?["limit_nano"]?.integer == 10_000_000_000)
            #expect(answer["conditions"]?.array?.map { $0["kind"]?.string } == ["source-silent"])
            #expect(answer["as_of"]?["position"]?.integer == 10 && answer["zone"]?.string == "Asia/Seoul")

            let table = try await log.reporter("alerts").expecting().standardOutput
            for words in [
                "project search-api", "검색팀", "day 2026-11-21", "12.35", "123.5", "cleared by cost at 9.99",
                "key-a gpt-4o +8.00", "source-silent", "nothing for 26 h", "position 10",
            ] { #expect(table.contains(words), "\(words)") }
        }
    }

    @Test func alertsAreChosenByStateAndDay() async throws {
        try await withAlerts { log in
            func levels(_ line: String) async throws -> [Int64?] {
                try await log.answer("alerts " + line)["alerts"]?.array?.map { $0["level"]?.integer } ?? []
            }
            #expect(try await levels("--state open") == [80])
            #expect(try await levels("--limit 1") == [100])
            #expect(try await levels("--last 1d") == [100, 80])
            #expect(try await levels("--from 2026-11-01 --to 2026-11-21") == [])
            let rows = try await log.reporter("alerts --csv --quiet").expecting().standardOutput
            #expect(rows.hasPrefix("position,time,state,scope,name,team,window,first_day,"))
            #expect(rows.split(separator: "\r\n").count == 3)
            for (line, complaint) in [
                ("alerts --state closed", "closed"), ("alerts --to 2026-11-21", "--to needs --from"),
                ("notifications --limit many", "many"),
            ] {
                let refused = try await log.reporter(line).expecting(64)
                #expect(refused.standardError.contains(complaint), "\(line)")
            }
        }
    }

    @Test func everyAttemptAndWhatWaitsIsListed() async throws {
        try await withAlerts { log in
            let answer = try await log.answer("notifications")
            let attempts = answer["notifications"]?.array ?? []
            #expect(attempts.map { $0["state"]?.string } == ["delivered", "uncertain"])
            #expect(attempts.map { $0["may_repeat"]?.bool } == [true, false])
            #expect(attempts.map { $0["kinds"]?.string } == ["crossed", "crossed"])
            #expect(attempts.map { $0["milliseconds"]?.integer } == [120, nil])
            #expect(attempts.map { $0["code"]?.string } == [nil, "timed-out"])
            #expect(answer["waiting"]?.array?.map { $0["items"]?.integer } == [1])
            #expect(
                try await log.answer("notifications --destination mail-ko")["notifications"]?.array?.isEmpty == true)
            let table = try await log.reporter("notifications").expecting().standardOutput
            for words in ["delivered (repeat?)", "200 ok", "timed-out: no answer", "Not told yet: 1 for slack"] {
                #expect(table.contains(words), "\(words)")
            }
        }
    }

    @Test func aDeliveryBehindTheProjectionsMakesNoCostStale() async throws {
        try await withAlerts { log in
            try log.append([Self.queued("3", cause: 2)])
            #expect(try await log.answer("costs")["stale"]?.bool == false)
            #expect(try await log.answer("notifications")["stale"]?.bool == true)
        }
    }
}
