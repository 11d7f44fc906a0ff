import Foundation
import JSON
import Runtime

/// What the week came to, and whether it is right.
struct DemoReport {
    private let yesterday: JSONValue
    private let byTeam: JSONValue
    private let byModel: JSONValue
    private let billed: JSONValue
    private let restatedDay: (before: JSONValue, after: JSONValue)
    private let lateKey: (before: JSONValue, after: JSONValue)
    private let alerts: DemoAlerts
    private let key: DemoKey
    private let runs: [JSONValue]
    private let restatements: JSONValue
    private let verified: JSONValue
    private let expected: JSONValue
    /// What does not agree with the trace, or does not verify; empty is what the demo is for.
    let problems: [String]

    var isRight: Bool { problems.isEmpty }

    /// Asks the stopped installation: nothing runs any more but the log, for as long as a command needs it.
    init(of stage: DemoStage, _ key: DemoKey) async throws {
        self.key = key
        func costs(_ by: String, _ from: String, _ to: String, _ more: String...) async throws -> JSONValue {
            try await stage.costs(by: by, from: from, to: to, more)
        }
        let (monday, sunday) = ("2026-11-09", "2026-11-15")
        yesterday = try await costs("team", sunday, sunday)
        byTeam = try await costs("team", monday, sunday, "--basis", "metered")
        byModel = try await costs("model", monday, sunday, "--basis", "metered")
        billed = try await costs("team", monday, sunday, "--basis", "billed")
        let (wednesday, thursdayNoon) = ("2026-11-11", "2026-11-12T12:00:00+09:00")
        restatedDay = (
            try await costs("day", wednesday, wednesday, "--basis", "metered", "--as-of", thursdayNoon),
            try await costs("day", wednesday, wednesday, "--basis", "metered")
        )
        lateKey = (
            try await costs("team", monday, wednesday, "--basis", "metered", "--as-of", thursdayNoon),
            try await costs("team", monday, wednesday, "--basis", "metered")
        )
        alerts = try await stage.alerts()
        runs = try await stage.runs()
        restatements = try await stage.json("reporter", "restatements", "--limit", "1000", "--json")
        verified = try await stage.json("event-log", "verify", "--json")
        expected = try await stage.expected()
        let byKey = try await costs("key,model", monday, sunday, "--basis", "metered")
        var problems = Self.differences(byKey, expected)
        // Monday in Seoul begins on the UTC day before, whose bill belongs to the week too.
        let bill = try await stage.expected("--from", "2026-11-08", "--to", sunday)["billed"]
        if billed["total"]?["cost_nano"] != bill?["cost_nano"] {
            problems.append("billed \(billed["total"]?.text ?? "") is not \(bill?.text ?? "")")
        }
        if verified["ok"] != true { problems.append("the log does not verify: \(verified.text)") }
        for exit in await stage.upExits where !exit.isSuccess { problems.append("finops up ended with \(exit)") }
        if !runs.contains(where: { $0["state"] == "failed" }) { problems.append("no run met the outage") }
        self.problems = problems + alerts.problems + key.problems
    }

    /// Row by row, to the nano-dollar and to the token.
    private static func differences(_ answer: JSONValue, _ expected: JSONValue) -> [String] {
        let fields = ["cost_nano", "input_tokens", "cached_input_tokens", "output_tokens", "requests"]
        func figures(_ row: JSONValue) -> [JSONValue] { fields.map { row[$0] ?? .null } }
        func key(_ row: JSONValue) -> [String] { ["key", "model"].map { row[$0]?.string ?? "" } }
        let found = Dictionary(grouping: answer["rows"]?.array ?? [], by: key)
        let right = Dictionary(grouping: expected["rows"]?.array ?? [], by: key)
        let keys = Set(found.keys).union(right.keys).sorted { $0.lexicographicallyPrecedes($1) }
        var problems = keys.compactMap { key -> String? in
            let (rows, wanted) = (found[key] ?? [], right[key] ?? [])
            if rows.count == 1, rows.map(figures) == wanted.map(figures) { return nil }
            func text(_ rows: [JSONValue]) -> String {
                rows.isEmpty ? "no row" : rows.map(\.text).joined(separator: " and ")
            }
            return "\(key.joined(separator: ", ")): \(text(rows)), expected \(text(wanted))"
        }
        if answer["total"].map(figures) != expected["total"].map(figures) {
            problems.append("total \(answer["total"]?.text ?? "missing"), expected \(expected["total"]?.text ?? "")")
        }
        return problems
    }

    var document: JSONValue {
        [
            "ok": .bool(isRight), "problems": .array(problems.map(JSONValue.string)), "yesterday": yesterday,
            "week_by_team": byTeam, "week_by_model": byModel, "week_billed": billed,
            "restated_day": ["as_of_thursday": restatedDay.before, "now": restatedDay.after],
            "late_mapping": ["as_of_thursday": lateKey.before, "now": lateKey.after],
            "alerting": alerts.document, "limit": key.document, "restatements": restatements["restatements"] ?? .null,
            "runs": .array(runs),
            "verify": verified, "expected": expected,
        ]
    }
}

extension DemoStage {
    fileprivate func costs(by: String, from: String, to: String, _ more: [String]) async throws -> JSONValue {
        try await json("reporter", arguments: ["costs", "--by", by, "--from", from, "--to", to, "--json"] + more)
    }

    /// The trace's own totals, counted by another program than those that are held against them.
    fileprivate func expected(_ more: String...) async throws -> JSONValue {
        try await json("sandbox", arguments: ["expected", "--by", "key,model"] + more, inDirectory: false)
    }
}

extension DemoReport {
    /// The same for people.
    var text: String {
        [
            heading("Yesterday, Sunday 2026-11-15"), table(yesterday, by: "team"),
            heading("The week by team"), table(byTeam, by: "team"),
            heading("The week by model"), table(byModel, by: "model"),
            heading("What was restated"), restatementText,
            heading("What \(DemoAlerts.project) passed of its \(DemoAlerts.daily) USD a day"), alerts.text,
            heading("What \(DemoKey.project) may spend: \(DemoKey.daily) USD a day, or its keys are disabled"),
            key.text,
            heading("Runs"), runTable,
            heading("Is it right?"), verdict,
        ].joined()
    }

    private func heading(_ text: String) -> String { "\n\(text)\n" }

    private func table(_ answer: JSONValue, by dimension: String) -> String {
        let names = ["cost", "input_tokens", "cached_input_tokens", "output_tokens", "requests"]
        var columns = [Table.Column(dimension) { $0.isNull ? "(unattributed)" : Table.plainText($0) }]
        columns += names.map { .init($0, title: $0.replacingOccurrences(of: "_", with: " "), .right) }
        var table = Table(columns)
        func cells(_ row: JSONValue) -> [JSONValue] { names.map { row[$0] ?? .null } }
        table.rows = (answer["rows"]?.array ?? []).map { [$0[dimension] ?? .null] + cells($0) }
        if let total = answer["total"] { table.footer = ["total"] + cells(total) }
        return table.text()
    }

    private var restatementText: String {
        func cost(_ answer: JSONValue) -> String { answer["total"]?["cost"]?.string ?? "–" }
        func unattributed(_ answer: JSONValue) -> String {
            answer["rows"]?.array?.first { $0["team"]?.isNull == true }?["cost"]?.string ?? "0.000000000"
        }
        let count = restatements["restatements"]?.array?.count ?? 0
        return """
            The provider changed its mind about \(count) rows. Wednesday's usage came to \(cost(restatedDay.before)) on Thursday noon, and comes to \
            \(cost(restatedDay.after)) now that the provider has restated it.
            Monday to Wednesday, \(unattributed(lateKey.before)) was unattributed on Thursday noon, \
            \(unattributed(lateKey.after)) is now that its key is mapped.

            """
    }

    private var runTable: String {
        let names = ["kind", "from", "to", "state", "recorded", "restated", "retries", "code"]
        var table = Table(names.map { .init($0, title: $0.replacingOccurrences(of: "_", with: " ")) })
        // Polls are many and alike; those that met something are shown.
        table.rows = runs.filter { $0["kind"] != "poll" || $0["state"] == "failed" }.map { run in
            names.map { run[$0] ?? .null }
        }
        return table.text()
    }

    private var verdict: String {
        let events = verified["events"]?.text ?? "–"
        guard isRight else { return problems.map { "NO: \($0)\n" }.joined() }
        return """
            The log verifies: \(events) events, head \(verified["head"]?.string ?? "–").
            The pipeline's totals equal the trace's own, by key and model, to the nano-dollar; so does the bill: \
            \(billed["total"]?["cost"]?.string ?? "–") USD.

            """
    }
}
