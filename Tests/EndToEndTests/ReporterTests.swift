import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Testing

/// `reporter` as it is typed: what it answers, in which form, and what it says to a question it cannot answer.
@Suite struct ReporterTests {
    private static let november = "--from 2026-11-01 --to 2026-11-22"

    private func withAnswers(_ body: (WrittenLog) async throws -> Void) async throws {
        try await WrittenLog.with { log in
            try log.append(ReportedEvents.directory + ReportedEvents.usage, recorded: WrittenLog.now)
            try log.append([ReportedEvents.restatement], recorded: WrittenLog.now.advanced(bySeconds: 60))
            try await log.run("projector", ["catch-up"]).expecting()
            try await body(log)
        }
    }

    private static func figures(_ answer: JSONValue, by names: [String]) -> [[String?]: Int64] {
        let rows = (answer["rows"]?.array ?? []).map { row in
            (names.map { row[$0]?.string ?? row[$0]?.bool.map { "\($0)" } }, row["cost_nano"]?.integer ?? -1)
        }
        return Dictionary(rows) { $0 + $1 }
    }

    @Test(arguments: [
        "summary", "costs --by team", "recent", "runs", "audit", "unattributed", "restatements", "alerts",
        "notifications", "calls", "kills", "reconcile --last 9d",
        "explain --from 2026-11-21 --to 2026-11-21",
    ])
    func everyAnswerCarriesPositionFreshnessAndZone(_ line: String) async throws {
        try await withAnswers { log in
            let answer = try await log.answer(line)
            #expect(answer["as_of"]?["position"]?.integer == 11)
            #expect(answer["as_of"]?["time"]?.string == "2026-11-22T03:01:00Z")
            #expect(answer["zone"]?.string == "Asia/Seoul")
            #expect(answer["stale"]?.bool == false)
            #expect(answer["freshness"]?["head"]?.integer == 11)
            #expect(answer["freshness"]?["accounts"]?.array?.first?["usage_through"]?.string == "2026-11-20T19:00:00Z")
            let table = try await log.reporter(line).expecting().standardOutput
            #expect(table.contains("position 11") && table.contains("Asia/Seoul"))
            let rows = try await log.reporter(line + " --csv").expecting()
            #expect(!rows.standardOutput.contains("position 11") && rows.standardError.contains("position 11"))
            let quiet = try await log.reporter(line + " --jsonl --quiet").expecting()
            #expect(quiet.standardError.isEmpty)
            for row in quiet.standardOutput.split(separator: "\n") { _ = try JSONValue.parse(String(row)) }
        }
    }

    @Test func costsAreGroupedAndFilteredAsAsked() async throws {
        let cases: [(String, [String], [[String?]: Int64])] = [
            ("--by team", ["team"], [["search"]: 13_845_678_901, [nil]: 2_000_000_000]),
            (
                "--by team,model", ["team", "model"],
                [
                    ["search", "gpt-4o"]: 13_845_678_901, [nil, "gpt-4o-mini"]: 2_000_000_000, [nil, "gpt-4o"]: 0,
                    [nil, "in-house"]: 0,
                ]
            ),
            (
                "--by day --key key-a", ["day"], [["2026-11-12"]: 1_500_000_000, ["2026-11-21"]: 12_345_678_901]
            ),
            (
                "--by hour --key key-b", ["hour"], [["2026-11-20T23:00:00+09:00"]: 2_000_000_000]
            ),
            ("--by week --team search", ["week"], [["2026-W46"]: 1_500_000_000, ["2026-W47"]: 12_345_678_901]),
            ("--by month", ["month"], [["2026-11"]: 15_845_678_901]),
            ("--by service --project ranking", ["service"], [["completions"]: 13_845_678_901]),
            ("--by tier --batch true", ["tier"], [[nil]: 0]),
            ("--by batch --tier default", ["batch"], [["false"]: 15_845_678_901]),
            ("--by key --team none --model gpt-4o-mini", ["key"], [["key-b"]: 2_000_000_000]),
            (
                "--by key --basis billed", ["key"],
                [["key-a"]: 0, ["key-b"]: 0, ["key-c"]: 0, ["key-d"]: 0]
            ),
            ("--by provider --provider other", ["provider"], [:]),
        ]
        try await withAnswers { log in
            for (line, names, expected) in cases {
                let answer = try await log.answer("costs \(Self.november) \(line)")
                #expect(Self.figures(answer, by: names) == expected, "\(line)")
            }
            let days = try await log.answer("costs --by day --from 2026-11-20 --to 2026-11-20")
            #expect(Self.figures(days, by: ["day"]) == [["2026-11-20"]: 2_000_000_000])
        }
    }

    @Test func whatHasNoPriceIsNeverShownAsFree() async throws {
        try await withAnswers { log in
            let table = try await log.reporter("costs --by key \(Self.november)").expecting().standardOutput
            let lines = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(lines.first { $0.first == "key-c" }?[1] == "unpriced")
            #expect(lines.first { $0.first == "key-d" }?.prefix(3) == ["key-d", "1.00", "EUR"])
            #expect(lines.first { $0.first == "total" }?.prefix(6) == ["total", "15.85", "+", "1.00", "EUR", "+"])
            #expect(table.contains("Not converted to USD") && table.contains("Unpriced, not in any cost: 1 rows"))
            let answer = try await log.answer("costs --by key \(Self.november)")
            #expect(answer["rows"]?.array?.map { $0["unpriced_rows"]?.integer } == [0, 0, 1, 0])
            #expect(answer["total"]?["unpriced"]?["rows"]?.integer == 1)
            #expect(answer["total"]?["unconverted"]?.array?.first?["currency"]?.string == "EUR")
            let csv = try await log.reporter("costs --by key \(Self.november) --csv --quiet").expecting().standardOutput
            #expect(
                csv.hasPrefix(
                    "key,cost,cost_nano,input_tokens,cached_input_tokens,output_tokens,requests,unpriced_rows"))
            #expect(csv.contains("key-c,0.000000000,0,7,40,10,3,1,"))
            let explained = try await log.reporter("explain --key key-c \(Self.november)").expecting().standardOutput
            #expect(explained.contains("unpriced"))
        }
    }

    @Test func configuredRatesConvertByTheDay() async throws {
        try await withAnswers { log in
            let rates = "rates:\n  - currency: EUR\n    from: 2026-11-21\n    rate: 1.0834\n"
            try Data(rates.utf8).write(to: URL(filePath: log.directory.configuration))
            let answer = try await log.answer("costs --by key \(Self.november)")
            #expect(Self.figures(answer, by: ["key"])[["key-d"]] == 1_083_400_000)
            #expect(answer["total"]?["cost"]?.string == "16.929078901")
            #expect(answer["total"]?["unconverted"] == nil)
            #expect(answer["total"]?["converted"]?.array?.first?["rate"]?.string == "1.0834")
        }
    }

    @Test func theSummaryCountsDaysWeeksAndTheMonthAndStatesTheDelay() async throws {
        try await withAnswers { log in
            let answer = try await log.answer("summary")
            let periods = ["yesterday", "this_week", "last_week", "month"].map { answer[$0]?["cost"]?.string }
            #expect(periods == ["12.345678901", "14.345678901", "1.500000000", "15.845678901"])
            #expect(answer["yesterday"]?["from"]?.string == "2026-11-21")
            #expect(answer["data_delay"]?["hours_max"]?.integer == 24)
            let table = try await log.reporter("summary").expecting().standardOutput
            #expect(
                table.contains("8 to 24 hours late") && table.contains("usage published through 2026-11-21T04:00:00"))
        }
    }

    @Test func anEarlierStateIsAnsweredExactly() async throws {
        try await withAnswers { log in
            let line = "costs --from 2026-11-12 --to 2026-11-12"
            for (moment, cost, position) in [
                ("10", "1.000000000", 10), ("11", "1.500000000", 11), ("2026-11-22T12:00:30", "1.000000000", 10),
                ("2026-11-22T12:00:30+08:00", "1.500000000", 11), ("2026-11-22", "1.500000000", 11),
                ("7", "0.000000000", 7),
            ] {
                let answer = try await log.answer("\(line) --as-of \(moment)")
                #expect(answer["total"]?["cost"]?.string == cost, "\(moment)")
                #expect(answer["as_of"]?["position"]?.integer == Int64(position), "\(moment)")
            }
            let evidence = try await log.answer("explain --from 2026-11-12 --to 2026-11-12 --as-of 10")
            #expect(evidence["events"]?.array?.map { $0["position"]?.integer } == [8])
        }
    }

    @Test func aFigureIsExplainedByItsEvents() async throws {
        try await withAnswers { log in
            let answer = try await log.answer("explain --team search \(Self.november)")
            #expect(answer["cost_nano"]?.integer == 13_845_678_901)
            let events = answer["events"]?.array ?? []
            #expect(events.map { $0["position"]?.integer } == [11, 6])
            #expect(events.map { $0["type"]?.string } == ["usage.restated", "usage.recorded"])
            #expect(events.map { $0["price_version"]?.string } == ["2026-11-01", "2026-11-01"])
            #expect(events.map { $0["rule"]?.string } == ["key", "key"])
            let first = try await log.answer("explain --team search \(Self.november) --limit 1")
            #expect(first["events"]?.array?.count == 1 && first["cells"]?.integer == 2)
            #expect(first["cost_nano"]?.integer == 13_845_678_901)
        }
    }

    @Test func listsNameTheirRows() async throws {
        try await withAnswers { log in
            let runs = try await log.answer("runs")
            #expect(runs["runs"]?.array?.map { $0["state"]?.string } == ["finished"])
            let audit = try await log.answer("audit")
            #expect(audit["audit"]?.array?.map { $0["reason"]?.string } == ["its first project", "a new team"])
            #expect(audit["audit"]?.array?.first?["actor"]?.string == "tester")
            let restated = try await log.answer("restatements")
            #expect(restated["restatements"]?.array?.map { $0["difference"]?.string } == ["0.500000000"])
            let unattributed = try await log.answer("unattributed --from 2026-11-01")
            #expect(unattributed["rows"]?.array?.map { $0["key"]?.string } == ["key-b", "key-c", "key-d"])
            let told = try await log.reporter("unattributed --from 2026-11-01").expecting().standardOutput
            #expect(told.contains("finops key map --provider openai --provider-key-id key-b"))
            let recent = try await log.answer("recent --days 3")
            #expect(recent["rows"]?.array?.map { $0["day"]?.string } == ["2026-11-20", "2026-11-21"])
        }
    }

    @Test func aQuestionThatMakesNoSenseIsRefusedWithWhatIsWrong() async throws {
        try await withAnswers { log in
            for (line, complaint) in [
                ("costs --from 2026-02-30", "is not a day"), ("costs --from yesterday", "is not a day"),
                ("costs --from 2026-11-20 --to 2026-11-19", "is after"), ("costs --to 2026-11-19", "--to needs --from"),
                ("costs --last 30x", "is not a span"), ("costs --last 3d --from 2026-11-01", "not both"),
                ("costs --by team,colour", "cannot be grouped by \"colour\""), ("costs --basis guessed", "guessed"),
                ("costs --as-of someday", "--as-of takes"), ("costs --as-of 2026-11-22T24:59", "--as-of takes"),
                ("costs --batch maybe", "--batch is"), ("calls --last 3y", "is not a span"),
                ("calls --limit 0", "--limit is"),
                ("calls --after here", "--after takes"), ("calls --last 1h --from 2026-11-20", "not both"),
                ("calls --from 2026-11-20 --to 2026-11-19", "is after"),
                ("costs --csv --json", "give one of"), ("recent --days 0", "--days is a number"),
                ("costs --colour red", "--colour"), ("costs dance", "dance"),
            ] {
                let result = try await log.reporter(line).expecting(64)
                #expect(result.standardError.contains(complaint), "\(line): \(result.standardError)")
                #expect(result.standardOutput.isEmpty)
            }
            let zone = try await log.run("reporter", ["costs"], environment: ["FINOPS_ZONE": "Mars/Olympus"])
            #expect(zone.status == 1 && zone.standardError.contains("Mars/Olympus"), "\(zone.standardError)")
        }
    }

    @Test func projectionsThatAreMissingBehindOrDamagedAreSaidToBeAndMended() async throws {
        try await withAnswers { log in
            try log.append(ReportedEvents.directory)
            let behind = try await log.answer("costs \(Self.november)")
            #expect(behind["stale"]?.bool == true && behind["freshness"]?["lag_events"]?.integer == 5)
            #expect(behind["total"]?["cost"]?.string == "15.845678901")
            let told = try await log.reporter("summary").expecting().standardOutput
            #expect(told.contains("STALE: the log is at position 16") && told.contains("projector catch-up --dir"))

            let current = URL(filePath: log.directory.currentProjection).resolvingSymlinksInPath()
            try Data(repeating: 0x5A, count: 20_000).write(to: current)
            let damaged = try await log.reporter("costs").expecting(1)
            #expect(
                damaged.standardError.contains("damaged") && damaged.standardError.contains("projector rebuild --dir"))
            try await log.run("projector", ["rebuild"]).expecting()
            #expect(try await log.answer("costs \(Self.november)")["total"]?["cost"]?.string == "15.845678901")

            try FileManager.default.removeItem(atPath: log.directory.currentProjection)
            let missing = try await log.reporter("costs").expecting(75)
            #expect(missing.standardError.contains("there are no projections"))
            #expect(missing.standardError.contains("projector rebuild --dir"))
        }
    }

    @Test func aLogThatLostItsEndIsSaidToHave() async throws {
        try await withAnswers { log in
            #expect(try await log.answer("costs")["freshness"]?["log_problem"] == nil)
            // The database as it was before; its witness saw more.
            let database = URL(filePath: log.directory.logDatabase)
            let earlier = try Data(contentsOf: database)
            try log.append(ReportedEvents.directory)
            try earlier.write(to: database)
            for ending in ["-wal", "-shm"] { unlink(database.path + ending) }
            for line in ["costs \(Self.november)", "costs --as-of 5", "alerts"] {
                let answer = try await log.answer(line)
                let problem = answer["freshness"]?["log_problem"]?.string
                #expect(problem == "the log ends at position 11, but 16 events were acknowledged", "\(line)")
            }
            let told = try await log.reporter("summary").expecting().standardOutput
            #expect(told.contains("DAMAGED: the log ends at position 11") && told.contains("event-log verify --dir"))
        }
    }

    @Test func whatNoFigureDependsOnMakesNoAnswerStale() async throws {
        try await withAnswers { log in
            var exited = WireStageExited()
            exited.stage = "projector"
            try log.append([.stageExited(exited)])
            let answer = try await log.answer("costs \(Self.november)")
            #expect(answer["stale"]?.bool == false && answer["freshness"]?["lag_events"]?.integer == 1)
            let projections = URL(filePath: log.directory.currentProjection).resolvingSymlinksInPath().path
            let mode = try FileManager.default.attributesOfItem(atPath: projections)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test func anEmptyLogHasAnEmptyAnswer() async throws {
        try await WrittenLog.with { log in
            let answer = try await log.answer("costs --by team")
            #expect(answer["as_of"]?["position"]?.integer == 0 && answer["rows"]?.array?.isEmpty == true)
            try await log.reporter("summary").expecting()
        }
    }
}
