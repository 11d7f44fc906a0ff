import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import Testing

/// Thresholds with the real programs: what the log says was crossed is exactly what the trace says, whoever runs when, and
/// whatever is killed meanwhile.
@Suite(.serialized) struct ThresholdTests {
    private static let week = MainJobTests.week
    private static let days = (9...15).map { $0 < 10 ? "2026-11-0\($0)" : "2026-11-\($0)" }

    enum Surroundings: CaseIterable { case alone, pipeline, killed }

    /// A level that was reached: as the oracle says it, and as the log does.
    private struct Reached: Hashable, Comparable, CustomStringConvertible {
        let scope, window, firstDay: String
        let level: Int

        var description: String { "\(scope) \(window) \(firstDay) \(level) %" }

        static func < (left: Reached, right: Reached) -> Bool { left.description < right.description }
    }

    /// Limits in nano-dollars.
    private struct Limit {
        let scope: String
        var daily: Int?
        var weekly: Int?
        let levels: [Int]

        var words: [String] {
            let place = scope.split(separator: "/").map(String.init)
            var words = ["threshold", "set"] + (place.count == 2 ? ["--\(place[0])", place[1]] : ["--organisation"])
            if let daily { words += ["--daily", NanoText.text(Int128(daily))] }
            if let weekly { words += ["--weekly", NanoText.text(Int128(weekly))] }
            return words + ["--levels", levels.map(String.init).joined(separator: ",")]
        }
    }

    @Test(.timeLimit(.minutes(4)), arguments: Surroundings.allCases)
    func whatTheLogSaysWasCrossedIsWhatTheTraceSays(_ surroundings: Surroundings) async throws {
        let costs = Costs(try Oracle())
        let limits = limits(costs)
        // Metered costs alone count, as in the oracle: the bills come in three hundred years.
        try await Installation.with(sandbox: ["--costs-delay", "9000000000"]) { installation in
            try await installation.connect()
            try await installation.mapEverything()
            let up = surroundings == .alone ? nil : try installation.start("finops", ["up"])
            if up != nil { try await installation.allReady() }
            for limit in limits {
                let words = limit.words + ["--json"]
                #expect(try await installation.run("finops", arguments: words).expecting().json()["changed"] == true)
                #expect(try await installation.run("finops", arguments: words).expecting().json()["changed"] == false)
            }
            let backfill = try installation.start(
                "ingest-openai", ["backfill", "--from", Self.week.0, "--to", Self.week.1])
            if surroundings == .killed { try await killWatchers(installation) }
            try await backfill.wait().expecting()

            let expected = reached(limits, costs)
            #expect(expected.count > 20)
            try await eventually("every crossing is in the log") {
                try await crossed(installation).count >= expected.count
            }
            if up != nil { try await installation.allReady() }
            #expect(try await crossed(installation).map(\.reached).sorted() == expected)
            for limit in limits { try await expectReplay(of: limit, installation) }
            up?.send(SIGTERM)
            try await up?.wait(limit: .seconds(20)).expecting()
        }
    }

    /// Bills that come into force, models that only a bill knows, and mappings that come late: what stands is what the
    /// reporter says the days cost.
    @Test(.timeLimit(.minutes(4))) func whatStandsIsWhatTheReporterSays() async throws {
        let costs = Costs(try Oracle())
        let limits = limits(costs)
        try await Installation.with { installation in
            try await installation.connect()
            for team in Oracle.teams { try await installation.run("finops", "team", "add", team).expecting() }
            for (project, team) in Oracle.projects {
                try await installation.run("finops", "project", "add", project, "--team", team).expecting()
            }
            for limit in limits { try await installation.run("finops", arguments: limit.words).expecting() }
            try await installation.backfill(Self.week.0, "2026-11-12").expecting()
            try await installation.mapEverything()
            try await installation.backfill(Self.week.0, Self.week.1).expecting()
            let rows = try await installation.costs(
                by: "project,day", Self.week.0, Self.week.1, basis: "best"
            )["rows"]?.array
            let best = Costs(
                try #require(rows).map { row in
                    (row["project"]?.string, row["day"]?.string ?? "", Int(row["cost_nano"]?.integer ?? 0))
                })
            // Of the organisation alone: a mapping judges the windows of the last days, which this week is not among.
            let organisation = limits.filter { $0.scope == "organisation" }
            var standing: Set<Reached> = []
            for found in try await found(installation) where found.reached.scope == "organisation" {
                if found.crossed == nil { standing.remove(found.reached) } else { standing.insert(found.reached) }
            }
            #expect(standing.sorted() == reached(organisation, best))
        }
    }

    @Test func aThresholdIsRefusedInWordsAndListed() async throws {
        try await Installation.with { installation in
            try await installation.connect()
            try await installation.run("finops", "team", "add", "search").expecting()
            try await installation.run("finops", "project", "add", "chat", "--team", "search").expecting()
            let refused: [(words: [String], status: Int32, says: String)] = [
                (["--project", "chart", "--daily", "10"], 1, "there are: chat"),
                (["--team", "serch", "--daily", "10"], 1, "there are: search"),
                (["--project", "chat"], 64, "--daily, --weekly or both"),
                (["--project", "chat", "--daily", "ten"], 64, "no amount"),
                (["--project", "chat", "--daily", "0.0000000001"], 64, "more than 9 decimals"),
                (["--project", "chat", "--daily", "0"], 64, "greater than 0"),
                (["--project", "chat", "--daily", "1", "--levels", "80,x"], 64, "no per cent"),
                (["--project", "chat", "--daily", "1", "--levels", "80,80"], 64, "different per cents"),
                (["--project", "chat", "--daily", "1", "--zone", "Seoul"], 64, "no time zone"),
                (["--project", "chat", "--organisation", "--daily", "1"], 64, "one of --project"),
            ]
            for (words, status, says) in refused {
                let said = try await installation.run("finops", arguments: ["threshold", "set"] + words)
                #expect(said.status == status && said.standardError.contains(says), "\(words): \(said)")
            }
            let set = [
                "threshold", "set", "--project", "chat", "--daily", "10.00", "--weekly", "50.5", "--reason", "new",
            ]
            let said = try await installation.run("finops", arguments: set).expecting()
            #expect(said.standardError.contains("10.00 USD a day and 50.50 USD a week; told at 80, 100 %"))
            let listed = try await installation.run("finops", "threshold", "list", "--json").expecting().json()
            #expect(
                listed == [
                    [
                        "scope": "project", "name": "chat", "daily": "10.000000000", "weekly": "50.500000000",
                        "currency": "USD", "levels": [80, 100], "zone": "Asia/Seoul", "policy": "alert",
                    ]
                ])
            try await installation.run("finops", "threshold", "rm", "--project", "chat").expecting()
            try await installation.run("finops", "threshold", "rm", "--project", "chat").expecting(1)
            #expect(try await installation.run("finops", "threshold", "list", "--json").expecting().json() == [])
        }
    }

    // MARK: The oracle

    /// What each scope costs on each day, in nano-dollars.
    private struct Costs {
        private(set) var byScope: [String: [String: Int]] = [:]

        init(_ oracle: Oracle) {
            self.init(oracle.totals(by: [.project, .day]).map { ($0.key[0], $0.key[1] ?? "", $0.value.nanos) })
        }

        init(_ rows: [(project: String?, day: String, nanos: Int)]) {
            for row in rows {
                var scopes = ["organisation"]
                if let project = row.project { scopes.append("project/\(project)") }
                if let team = Oracle.team(of: row.project) { scopes.append("team/\(team)") }
                for scope in scopes { byScope[scope, default: [:]][row.day, default: 0] += row.nanos }
            }
        }

        func day(_ scope: String, _ day: String) -> Int { byScope[scope]?[day] ?? 0 }
        func week(_ scope: String) -> Int { byScope[scope]?.values.reduce(0, +) ?? 0 }
    }

    /// Exactly what a day or week cost, a little more, and a part of it.
    private func limits(_ costs: Costs) -> [Limit] {
        [
            Limit(
                scope: "project/storefront", daily: costs.day("project/storefront", Self.days[2]), levels: [80, 100]),
            Limit(
                scope: "project/helpdesk", daily: costs.day("project/helpdesk", Self.days[1]) + 1,
                weekly: costs.week("project/helpdesk"), levels: [50, 100, 150]),
            Limit(scope: "team/커머스", daily: costs.day("team/커머스", Self.days[5]), levels: [80, 100]),
            Limit(
                scope: "organisation", daily: costs.day("organisation", Self.days[0]) / 2,
                weekly: costs.week("organisation") / 3, levels: [80, 100, 250, 1_000]),
        ]
    }

    private func reached(_ limits: [Limit], _ costs: Costs) -> [Reached] {
        var reached: [Reached] = []
        for limit in limits {
            for level in limit.levels {
                for day in Self.days {
                    if let daily = limit.daily, costs.day(limit.scope, day) * 100 >= daily * level {
                        reached.append(Reached(scope: limit.scope, window: "day", firstDay: day, level: level))
                    }
                }
                if let weekly = limit.weekly, costs.week(limit.scope) * 100 >= weekly * level {
                    reached.append(Reached(scope: limit.scope, window: "week", firstDay: Self.days[0], level: level))
                }
            }
        }
        return reached.sorted()
    }

    // MARK: The log

    private struct Found {
        let reached: Reached
        /// nil for a clearing.
        let crossed: WireThresholdCrossed?
    }

    private func crossed(_ installation: Installation) async throws -> [Found] {
        try await found(installation).filter { $0.crossed != nil }
    }

    private func found(_ installation: Installation) async throws -> [Found] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        var found: [(Position, Found)] = []
        for summary in try await log.allStreams(prefix: "alert-") {
            for recorded in try await log.readAll(stream: summary.stream) {
                switch try EventCatalogue.decode(recorded.event) {
                case .thresholdCrossed(let event):
                    let reached = place(event.scope, event.name, event.window, event.firstDay, event.level)
                    found.append((recorded.position, Found(reached: reached, crossed: event)))
                case .thresholdCleared(let event):
                    let reached = place(event.scope, event.name, event.window, event.firstDay, event.level)
                    found.append((recorded.position, Found(reached: reached, crossed: nil)))
                default: break
                }
            }
        }
        return found.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private func place(_ scope: String, _ name: String, _ window: String, _ day: String, _ level: UInt32) -> Reached {
        Reached(scope: name.isEmpty ? scope : "\(scope)/\(name)", window: window, firstDay: day, level: Int(level))
    }

    /// At the first finding, some findings later, and at once after a restart.
    private func killWatchers(_ installation: Installation) async throws {
        for count in [1, 6, 6] {
            try await eventually("\(count) findings") { try await crossed(installation).count >= count }
            var killed: Int32?
            try await eventually("a watcher to kill") {
                killed = installation.process("threshold-watcher")
                return killed != nil
            }
            if let killed { kill(killed, SIGKILL) }
        }
    }

    /// A replay of an armed threshold finds what was found, with the same cost at the same event, in the same order.
    private func expectReplay(of limit: Limit, _ installation: Installation) async throws {
        let replay = try await installation.run(
            "threshold-watcher", "dry-run", "--threshold", limit.scope, "--from", Self.week.0, "--to", Self.week.1,
            "--json"
        ).expecting().json()
        let replayed = try #require(replay["crossings"]?.array).map { crossing in
            ["window", "first_day", "level", "cost_nano", "position", "forecast", "previous", "cause_key"].map {
                crossing[$0]?.text ?? ""
            }
        }
        let armed = try await crossed(installation).compactMap(\.crossed).filter {
            ($0.name.isEmpty ? $0.scope : "\($0.scope)/\($0.name)") == limit.scope
        }.map { event in
            [
                JSONValue.string(event.window), .string(event.firstDay), .integer(event.level),
                .integer(event.cost.nanos), .integer(event.position),
                .string(NanoText.text(Int128(event.forecast.nanos))),
                .string(NanoText.text(Int128(event.previous.nanos))),
                event.cause.hasApiKeyID ? .string(event.cause.apiKeyID) : .null,
            ].map(\.text)
        }
        #expect(replayed == armed, "\(limit.scope)")
    }
}
