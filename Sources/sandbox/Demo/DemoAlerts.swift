import Foundation
import JSON
import Runtime

/// The demo's threshold, who is told, and what of it arrived.
///
/// The project `helpdesk` is the provider project `proj_support`. Its days come to, in USD:
///
///     Mon 2.523 · Tue 2.227 · Wed 1.626, on Thursday restated to 1.895 · Thu 1.711 · Fri 2.134 · Sat 0.908 · Sun 0.916
///
/// Of a limit of 2.30 a day 80 % is 1.84. So Monday passes 80 and 100 %, Tuesday and Friday 80 %, and Wednesday 80 % too,
/// but only on Thursday, when the provider restates it.
struct DemoAlerts: Sendable {
    static let project = "helpdesk"
    static let providerProject = "proj_support"
    static let daily = "2.30"
    private static let limitNano: Int64 = 2_300_000_000
    private static let levels: [Int64] = [80, 100]
    static let people = "kim@example.com,lee@example.com:en"

    /// Rows of `reporter alerts`, newest first.
    let crossed: [JSONValue]
    let slack: [JSONValue]
    let mail: [JSONValue]
    /// Which days reach which level, by the trace's own totals: `2026-11-09 80`.
    private let expected: Set<String>
    private let refused: Int

    /// - Parameters:
    ///   - alerts: what `reporter alerts` says.
    ///   - totals: what `sandbox expected --by project,day` says.
    ///   - files: where the sandbox keeps what arrived.
    init(alerts: JSONValue, totals: JSONValue, files: DemoFiles) throws {
        crossed = (alerts["alerts"]?.array ?? []).filter { $0["name"]?.string == Self.project }
        expected = Set(
            (totals["rows"]?.array ?? []).filter { $0["project"]?.string == Self.providerProject }.flatMap { row in
                Self.levels.filter { (row["cost_nano"]?.integer ?? 0) * 100 >= Self.limitNano * $0 }
                    .map { "\(row["day"]?.string ?? "") \($0)" }
            })
        let (slack, mail) = (try files.arrived(.slack), try files.arrived(.mail))
        self.slack = slack["messages"]?.array ?? []
        self.mail = mail["messages"]?.array ?? []
        refused = (slack["refused"]?.array ?? []).count + (mail["refused"]?.array ?? []).count
    }

    /// Those that tell of the threshold; others tell of the outage and of the model without a price.
    private var aboutThreshold: (slack: [JSONValue], mail: [JSONValue]) {
        (
            slack.filter { $0["text"]?.string?.contains(Self.project) == true },
            mail.filter { $0["text"]?.string?.contains(Self.project) == true }
        )
    }

    /// Whether everything that is to be told was told.
    var isComplete: Bool { problems.isEmpty }

    var problems: [String] {
        var problems: [String] = []
        let found = crossed.map { "\($0["first_day"]?.string ?? "") \($0["level"]?.integer ?? 0)" }.sorted()
        if found != expected.sorted() { problems.append("crossed \(found), expected \(expected.sorted())") }
        let untold = crossed.filter { $0["notified"]?.string == nil }.count
        if untold > 0 { problems.append("\(untold) crossings were not told") }
        if aboutThreshold.slack.isEmpty { problems.append("no Slack message about \(Self.project) arrived") }
        for person in Self.people.split(separator: ",").map({ $0.prefix { $0 != ":" } }) {
            let hasMail = aboutThreshold.mail.contains { mail in
                mail["to"]?.array?.contains { $0.string.map { $0[...] == person } ?? false } == true
            }
            if !hasMail { problems.append("no mail about \(Self.project) arrived for \(person)") }
        }
        if aboutThreshold.slack.count > crossed.count {
            problems.append("\(aboutThreshold.slack.count) Slack messages tell of \(crossed.count) crossings")
        }
        if refused > 0 { problems.append("\(refused) messages were turned away") }
        return problems
    }

    var document: JSONValue {
        [
            "threshold": ["project": .string(Self.project), "daily": .string(Self.daily)], "alerts": .array(crossed),
            "slack": .array(
                slack.map { ["clock": $0["clock"] ?? .null, "text": .string(Self.firstLine($0["text"]))] }),
            "mail": .array(
                mail.map {
                    ["clock": $0["clock"] ?? .null, "to": $0["to"] ?? .null, "subject": $0["subject"] ?? .null]
                }),
        ]
    }

    /// The same for people.
    var text: String {
        let names = ["first_day", "level", "cost", "percent", "time"]
        var table = Table([
            .init("first_day", title: "day"), .init("level", .right), .init("cost", .right),
            .init("percent", title: "%", .right),
            .init("time", title: "known"),
        ])
        table.rows = crossed.reversed().map { row in names.map { row[$0] ?? .null } }
        let (aboutSlack, aboutMail) = aboutThreshold
        return table.text() + """
            Slack, \(slack.count) messages, the first about it: \(Self.firstLine(aboutSlack.first?["text"]))
            Mail, \(mail.count) messages, the first about it: \(aboutMail.first?["subject"]?.string ?? "–")

            """
    }

    private static func firstLine(_ text: JSONValue?) -> String {
        text?.string?.split(separator: "\n").first.map(String.init) ?? "–"
    }
}

extension DemoStage {
    /// Connects the sandbox's Slack and mailbox, and arms the threshold.
    func arm(slack address: String, mailbox: String) async throws {
        let file = directory.path + "/demo/slack-url"
        try Data("\(address)/slack/T00000001/B00000001/demo".utf8).write(to: URL(filePath: file))
        try await run("finops", "channel", "set", "slack", "--url-file", file)
        try await run(
            "finops", "channel", "set", "mail", "--smtp", mailbox, "--from", "finops@example.com", "--to",
            DemoAlerts.people)
        try await run("finops", "threshold", "set", "--project", DemoAlerts.project, "--daily", DemoAlerts.daily)
        say(
            "\(DemoAlerts.project) may cost \(DemoAlerts.daily) USD a day; messages arrive at \(address)/inbox "
                + "(in a terminal: sandbox inbox --address \(address))")
    }

    /// What was crossed and told by now.
    func alerts() async throws -> DemoAlerts {
        try DemoAlerts(
            alerts: try await json("reporter", "alerts", "--limit", "1000", "--json"),
            totals: try await json("sandbox", arguments: ["expected", "--by", "project,day"], inDirectory: false),
            files: files)
    }

    /// Waits until the last message has left. What has not arrived by then is a problem of the report.
    func awaitMessages() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await !alerts().isComplete, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
