import Foundation
import JSON
import Testing

/// The demo that a newcomer sees first, played unattended a little faster.
@Suite(.serialized) struct DemoTests {
    @Test func theDemoPlaysItsWeekAndIsRight() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "finops-demo-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }  // A rest of it fails no test.
        let pipeline = root.appending(path: "demo.yaml")
        let text = try String(contentsOf: PipelineTests.folder.appending(path: "demo.yaml"), encoding: .utf8)
        try text.replacing("rate: 10000", with: "rate: 15000").write(to: pipeline, atomically: true, encoding: .utf8)
        let state = root.appending(path: "state").path
        let demo = try RunningProgram(
            "sandbox", ["demo", "--pipeline", pipeline.path, "--dir", state, "--once", "--json"], scratch: root)
        let report = try (await demo.wait(limit: .seconds(300))).expecting().json()
        #expect(report["ok"] == true && report["verify"]?["ok"] == true)
        #expect(report["week_by_team"]?["total"]?["requests"]?.integer == 19_366)
        // On Thursday at noon half of Wednesday's lunch was not published yet, and nobody had claimed the laboratory's key.
        let (before, after) = try (
            nanos(report, "restated_day", "as_of_thursday"), nanos(report, "restated_day", "now")
        )
        #expect(0 < before && before < after)
        #expect(try unclaimed(report, "as_of_thursday") > 0)
        #expect(try unclaimed(report, "now") == 0)
        try expectAlerts(report["alerting"] ?? .null)
        let limit = report["limit"] ?? .null
        #expect(limit["alert"]?["basis"] == "estimated" && limit["kill"]?["cause"] == "policy", "\(limit.text)")
        #expect(limit["kill"]?["acknowledged"] == true && limit["audit"]?["actor"] == "policy", "\(limit.text)")
        let statuses = limit["answers"]?.array?.compactMap { $0["status"]?.integer } ?? []
        #expect(statuses.first == 200 && statuses.last == 403, "\(statuses)")
        #expect(!FileManager.default.fileExists(atPath: state))
    }

    /// Monday passes both levels of the daily limit, Wednesday the lower one only when it is restated on Thursday.
    private func expectAlerts(_ alerting: JSONValue) throws {
        let alerts = alerting["alerts"]?.array ?? []
        let crossed = alerts.map { "\($0["first_day"]?.string ?? "") \($0["level"]?.integer ?? 0)" }.sorted()
        #expect(
            crossed == ["2026-11-09 100", "2026-11-09 80", "2026-11-10 80", "2026-11-11 80", "2026-11-13 80"])
        let late = try #require(alerts.first { $0["first_day"] == "2026-11-11" })
        #expect(try #require(late["time"]?.string) > "2026-11-12")
        let slack = (alerting["slack"]?.array ?? []).compactMap { $0["text"]?.string }
        #expect(slack.contains { $0.contains("[임계값 초과]") && $0.contains("helpdesk") })
        let mail = alerting["mail"]?.array ?? []
        for person in ["kim@example.com", "lee@example.com"] {
            let subjects = mail.filter { $0["to"]?.array?.contains(.string(person)) == true }
            #expect(subjects.contains { $0["subject"]?.string?.contains("helpdesk") == true }, "\(person)")
        }
    }

    private func nanos(_ report: JSONValue, _ part: String, _ when: String) throws -> Int64 {
        try #require(report[part]?[when]?["total"]?["cost_nano"]?.integer)
    }

    private func unclaimed(_ report: JSONValue, _ when: String) throws -> Int64 {
        let rows = try #require(report["late_mapping"]?[when]?["rows"]?.array)
        return rows.first { $0["team"]?.isNull == true }?["cost_nano"]?.integer ?? 0
    }
}
