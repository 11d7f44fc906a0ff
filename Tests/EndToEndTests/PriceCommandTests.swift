import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Testing

/// Prices as a person sets, previews and corrects them, with calls and rows that are in the log already.
@Suite(.serialized) struct PriceCommandTests {
    /// A directory in which the model `house` costs 1 USD per 1,000,000 input tokens and 2 per output.
    private func prepared(_ body: (WrittenLog) async throws -> Void) async throws {
        try await WrittenLog.with { log in
            try await log.run("finops", ["init"]).expecting()
            let first = try await finops(log, "price set \(Self.house) --input 1 --output 2 --reason contract")
            #expect(first["changed"] == true && first["proposal"]?.isNull == true)
            try await body(log)
        }
    }

    private static let house = "--provider openai --model house"

    private func finops(_ log: WrittenLog, _ line: String) async throws -> JSONValue {
        try await said(log, line + " --json").expecting().json()
    }

    private func said(_ log: WrittenLog, _ line: String) async throws -> ProgramResult {
        try await log.run("finops", line.split(separator: " ").map(String.init))
    }

    private func append(_ events: [FinOpsEvent], to stream: StreamName, in log: WrittenLog) async throws {
        try await LogSession.withLog(log.directory) { store in
            let session = try await store.openSession(ProducerName("test-\(UUID().uuidString)"))
            for (number, start) in stride(from: 0, to: events.count, by: 5_000).enumerated() {
                let chunk = events[start..<min(start + 5_000, events.count)].map {
                    $0.newEvent(in: stream, occurred: WrittenLog.now, actor: "gateway")
                }
                _ = try await store.append(
                    AppendRequest(session: session, sequence: UInt64(number) + 1, [StreamAppend(stream, chunk)]))
            }
        }
    }

    private func reader(_ log: WrittenLog) -> SQLiteEventReader {
        SQLiteEventReader(files: LogFiles(database: log.directory.logDatabase))
    }

    /// A thousand input tokens of `house`, on the day before yesterday unless said otherwise.
    private func call(_ id: String, nanos: Int64? = 1_000_000, daysAgo: Int64 = 2) -> FinOpsEvent {
        .callRecorded(
            .with {
                ($0.call, $0.attempt, $0.gateway, $0.key, $0.project) = (id, 1, "gateway", "key-1", "chat")
                ($0.provider, $0.account, $0.kind, $0.model) = ("openai", "acme", "completions", "house")
                ($0.modelAsked, $0.route, $0.upstream, $0.ended, $0.status) = (
                    "house", "/v1/x", "main", "complete", 200
                )
                $0.quantities.requests = 1
                $0.quantities.inputTokens = 1_000
                if let nanos {
                    $0.cost.nanos = nanos
                    $0.cost.currency = "USD"
                    $0.priceVersion = "v1/house"
                } else {
                    $0.unpricedReason = "no price for model house"
                }
                $0.started = WrittenLog.now.microseconds - daysAgo * 86_400_000_000
                $0.duration = 1_000
            })
    }

    private var calls: StreamName { .calls(account: "acme", day: Day("2026-11-20")!) }

    private func costs(_ log: WrittenLog, _ more: String = "") async throws -> Int64? {
        try await log.run("projector", ["catch-up"]).expecting()
        let answer = try await log.answer(
            "costs --by model --basis estimated --from 2026-11-16 --to 2026-11-22 " + more)
        return answer["rows"]?.array?.first?["cost_nano"]?.integer
    }

    @Test func aPreviewReachesSevenDaysBackAndNoFurther() async throws {
        try await prepared { log in
            // Today is one of the seven.
            for days in [6, 7] {
                let stream = StreamName.calls(account: "acme", day: Day(utc: WrittenLog.now).advanced(by: -days))
                try await append([call("c\(days)", daysAgo: Int64(days))], to: stream, in: log)
            }
            let preview = try await finops(log, "price preview \(Self.house) --input 3")
            let effect = try #require(preview["effect"]?.array?.first)
            #expect(preview["effect"]?.array?.count == 1 && effect["basis"] == "estimated" && effect["rows"] == 1)
            #expect(effect["cost_now_nano"] == 1_000_000 && effect["cost_then_nano"] == 3_000_000)
        }
    }

    @Test func aPriceIsPreviewedThenCorrectedAndBothValuesStay() async throws {
        try await prepared { log in
            let row = ReportedEvents.row("2026-11-20T05", key: "key-z", model: "house", nanos: 1_000_000, input: 1_000)
            var usage = row
            usage.quantities.cachedInputTokens = 0
            usage.quantities.outputTokens = 0
            try await append(
                [.usageRecorded(.with { ($0.row, $0.observed) = (usage, usage.bucketEnd) })],
                to: .usage(account: "acme", day: Day("2026-11-20")!), in: log)
            try await append([call("c1"), call("c2", nanos: nil)], to: calls, in: log)
            let same = "price set \(Self.house) --input 1 --output 2 --from beginning --reason contract"
            let priced = try await finops(log, same)
            #expect(priced["repriced_calls"] == 1 && priced["models"] == [])
            #expect(try await finops(log, same)["changed"] == false)
            #expect(try await costs(log) == 2_000_000)
            for (price, day) in [(1, "2026-11-01"), (2, "2999-01-01")] {
                let words = "price set --provider openai --model later --input \(price) --from \(day) --reason contract"
                _ = try await finops(log, words)
            }
            let later = try await finops(log, "price list --provider openai --model later").array?.first
            #expect(later?["input"] == "1" && later?["until"] == "2999-01-01", "\(later?.text ?? "")")
            #expect(try await finops(log, "price list \(Self.house)").array?.first?["until"] == .null)

            let head = try await reader(log).head()
            let preview = try await finops(log, "price preview \(Self.house) --input 3")
            #expect(preview["needs_second_person"] == false)
            let effect = preview["effect"]?.array ?? []
            #expect(effect.map { $0["basis"]?.string } == ["metered", "estimated"])
            #expect(effect.map { $0["rows"]?.integer } == [1, 2] && effect.map { $0["affected"]?.integer } == [1, 2])
            #expect(effect.map { $0["cost_now_nano"]?.integer } == [1_000_000, 2_000_000])
            #expect(effect.map { $0["cost_then_nano"]?.integer } == [3_000_000, 6_000_000])
            #expect(preview["totals"]?["estimated"]?["difference"] == "0.004000000")
            #expect(try await reader(log).head() == head)

            let correct = "price correct \(Self.house) --from 2026-11-20 --to 2026-11-21 --input 3 --reason invoice"
            let dry = try await finops(log, correct + " --dry-run")
            #expect(dry["totals"]?["metered"]?["difference_nano"] == 2_000_000)
            #expect(try await reader(log).head() == head)
            let corrected = try await finops(log, correct)
            #expect(corrected["repriced_rows"] == 1 && corrected["repriced_calls"] == 2)
            #expect(corrected["difference_nano"] == 6_000_000)
            let id = try #require(corrected["correction"]?.string)
            let corrections = try await reader(log).head()
            let again = try await finops(log, correct)
            #expect(again["changed"] == false && again["repriced_calls"] == 0 && again["correction"]?.isNull == true)
            #expect(try await said(log, correct).expecting().standardError.contains("nothing was written"))
            #expect(try await reader(log).head() == corrections)

            #expect(try await costs(log) == 6_000_000)
            #expect(try await costs(log, "--as-of \(head.value)") == 2_000_000)
            let listed = try await log.answer("calls --last 7d")["calls"]?.array ?? []
            #expect(Set(listed.map { $0["cost_nano"]?.integer }) == [3_000_000])
            let first = try #require(listed.first { $0["call"] == "c1" })
            #expect(first["corrected_from_nano"] == 1_000_000 && first["repriced_position"]?.integer != nil)
            let changes = try await log.answer("corrections --correction \(id)")["corrections"]?.array ?? []
            #expect(changes.count == 3 && Set(changes.map { $0["subject"]?.string }) == ["usage", "call"])
            #expect(Set(changes.map { $0["before_nano"]?.integer }) == [1_000_000])
            #expect(Set(changes.map { $0["after_nano"]?.integer }) == [3_000_000])
            #expect(Set(changes.map { $0["reason"]?.string }) == ["invoice"])
            #expect(try await finops(log, "price pending") == [])
            let rebuilt = try await log.run("projector", ["rebuild", "--json"]).expecting().json()["digest"]?.string
            let twice = try await log.run("projector", ["rebuild", "--json"]).expecting().json()["digest"]?.string
            #expect(rebuilt != nil && rebuilt == twice)
        }
    }

    @Test func aJumpTakesASecondPerson() async throws {
        try await prepared { log in
            let set = "price set \(Self.house) --input 100 --reason typo"
            let asked = try await finops(log, set)
            let id = try #require(asked["proposal"]?.string)
            #expect(asked["models"] == [] && asked["jumps"]?.array?.first?["after"] == "100")
            #expect(try await finops(log, set)["changed"] == false, "asked once")
            #expect(try await input(log) == "1")
            let pending = try await finops(log, "price pending").array ?? []
            #expect(pending.map { $0["id"]?.string } == [id])
            #expect(
                try await said(log, "price approve \(id) --reason me").expecting(4).standardError.contains("another"))
            let (lee, file) = try await person(log, "Lee", "--administrator")
            let (park, other) = try await person(log, "Park", "")
            try await said(log, "price approve \(id) --reason x --as \(park) --token-file \(other)").expecting(4)
            let approved = try await finops(log, "price approve \(id) --reason seen --as \(lee) --token-file \(file)")
            #expect(approved["models"] == ["openai/house"])
            #expect(try await input(log) == "100")
            #expect(try await finops(log, "price pending") == [])

            let rejected = try await finops(log, "price set \(Self.house) --input 1 --reason back")["proposal"]?.string
            _ = try await finops(log, "price reject \(rejected ?? "") --reason no")
            try await said(log, "price approve \(rejected ?? "") --reason x --as \(lee) --token-file \(file)")
                .expecting(1)
            #expect(try await input(log) == "100")

            try await append([call("c1")], to: calls, in: log)
            let correct = "price correct \(Self.house) --from 2026-11-20 --to 2026-11-20 --input 0.1 --reason invoice"
            let correction = try await finops(log, correct)
            #expect(correction["correction"]?.isNull == true)
            let wanted = try #require(correction["proposal"]?.string)
            let done = try await finops(log, "price approve \(wanted) --reason seen --as \(lee) --token-file \(file)")
            #expect(done["repriced_calls"] == 1 && done["difference_nano"] == -900_000)

            try await log.run("projector", ["catch-up"]).expecting()
            let audit = try await log.answer("audit --limit 100")["audit"]?.array ?? []
            let actions = Dictionary(grouping: audit) { $0["action"]?.string ?? "" }.mapValues(\.count)
            #expect(actions["price.change-proposed"] == 3 && actions["price.change-approved"] == 2)
            #expect(actions["price.change-rejected"] == 1 && actions["price.correction-started"] == 1)
            #expect(audit.first { $0["action"] == "price.change-approved" }?["actor"]?.string == lee)
        }
    }

    @Test func ofAFileOnlyWhatJumpsWaits() async throws {
        try await prepared { log in
            let file = log.root.appending(path: "prices.json")
            let models = ["house", "shed"].map {
                #"{"provider":"openai","model":"\#($0)","prices":[{"from":null,"input":"50","output":"2"}]}"#
            }
            try Data(#"{"models":[\#(models.joined(separator: ","))]}"#.utf8).write(to: file)
            let preview = try await finops(log, "price preview \(file.path)")
            #expect(preview["needs_second_person"] == true)
            let imported = try await finops(log, "price import \(file.path) --reason list")
            #expect(imported["models"] == ["openai/shed"] && imported["proposal"]?.string != nil)
            #expect(try await input(log) == "1")
        }
    }

    @Test func whatIsNoPriceIsRefusedByNameAndRemedy() async throws {
        try await prepared { log in
            let set = "price set \(Self.house) --reason x"
            let wrong: [(String, String)] = [
                ("\(set) --input=-1", "input: \"-1\" is no price"), ("\(set) --input 1.2.3", "\"1.2.3\" is no price"),
                ("\(set) --input 1234567890123456789", "at most 15 digits"),
                ("\(set) --price inptu=1", "there is no price \"inptu\""), ("\(set) --price input", "write NAME=USD"),
                ("\(set) --input 1 --price input=2", "input is given twice"), (set, "no price is given"),
                ("\(set) --input 1 --from 2026-11-20 --to 2026-11-19", "give a last day that is not before"),
                ("price set --model house --input 1 --reason x", "--provider is missing"),
                ("price set \(Self.house) --input 1", "--reason is missing"),
                ("price correct \(Self.house) --input 1 --reason x", "--from is missing"),
                (
                    "price correct --provider openai --model unheard --from beginning --reason x",
                    "has no price for unheard"
                ),
                ("price preview", "give a file, or"),
            ]
            for (line, text) in wrong {
                let result = try await said(log, line).expecting(64)
                #expect(result.standardError.contains(text), "\(line): \(result.standardError)")
            }
            #expect(
                try await said(log, "price approve price-1 --reason x").expecting(1).standardError.contains(
                    "no proposal"))
        }
    }

    /// Killed between two appends, the same command finishes: as if it had not been disturbed.
    @Test func aKilledCorrectionIsFinishedByTheSameCommand() async throws {
        let count = 12_000
        try await prepared { log in
            try await append((0..<count).map { call("c\($0)") }, to: calls, in: log)
            let correct = "price correct \(Self.house) --from 2026-11-20 --input 3 --reason invoice"
            for wanted in [2, 5] {
                let run = try log.start("finops", correct.split(separator: " ").map(String.init))
                try await eventually("\(wanted) parts are repriced") {
                    let parts = try await reader(log).readAll(stream: .corrections).count
                    return run.hasEnded || parts > wanted
                }
                run.send(SIGKILL)
                _ = await run.wait()
            }
            #expect(try await finops(log, "price pending").array?.map { $0["state"] } == ["stopped"])
            let finished = try await finops(log, correct)
            #expect(finished["changed"] == true)
            #expect(try await finops(log, "price pending") == [])
            var repriced: [String: Int] = [:]
            for recorded in try await reader(log).readAll(stream: calls) {
                guard case .callRepriced(let event)? = try EventCatalogue.decode(recorded.event) else { continue }
                repriced[event.call.call, default: 0] += 1
                #expect(event.call.cost.nanos == 3_000_000)
            }
            #expect(repriced.count == count && repriced.values.allSatisfy { $0 == 1 })
            #expect(try await costs(log) == Int64(count) * 3_000_000)
            let ledger = try await reader(log).readAll(stream: .corrections)
            guard
                case .priceCorrectionAdvanced(let end)? = try ledger.last.flatMap({
                    try EventCatalogue.decode($0.event)
                })
            else { throw Unexpected("the ledger ends with \(ledger.last?.type.text ?? "nothing")") }
            #expect(end.finished && end.repriced == Int64(count) && end.difference.nanos == Int64(count) * 2_000_000)
        }
    }

    private func input(_ log: WrittenLog) async throws -> String? {
        try await finops(log, "price list --provider openai --model house").array?.first?["input"]?.string
    }

    private func person(_ log: WrittenLog, _ name: String, _ role: String) async throws -> (id: String, file: String) {
        let added = try await finops(log, "person add \(name) \(role)")
        let file = log.root.appending(path: "token-\(name)").path
        try (added["token"]?.string ?? "").write(toFile: file, atomically: true, encoding: .utf8)
        return (try #require(added["id"]?.string), file)
    }
}
