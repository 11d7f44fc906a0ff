import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import TestSupport
import Testing

/// Events that a program failed on, from the failure to the answer of an administrator.
@Suite(.serialized) struct DeadLetterTests {
    private func letters(_ installation: Installation, all: Bool = false) async throws -> [JSONValue] {
        let arguments = ["dead-letters", "list", "--json"] + (all ? ["--all"] : [])
        return try await installation.run("finops", arguments: arguments).expecting().json().array ?? []
    }

    private func assignments(_ installation: Installation) async throws -> [WireAttributionAssigned] {
        let log = SQLiteEventReader(files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        return try await log.readAll(stream: .assignment(provider: "openai", account: "acme")).compactMap {
            if case .attributionAssigned(let assigned) = try EventCatalogue.decode($0.event) { assigned } else { nil }
        }
    }

    /// With a running pipeline, or without one.
    private func with(pipeline isRunning: Bool, _ body: (Installation) async throws -> Void) async throws {
        try await Installation.with { installation in
            try await installation.connect()
            let up = isRunning ? try installation.start("finops", ["up"]) : nil
            if isRunning { try await installation.allReady() }
            try await body(installation)
            up?.send(SIGTERM)
            try await up?.wait(limit: .seconds(20)).expecting()
        }
    }

    @Test(arguments: [false, true])
    func aMappingToAProjectThatIsMissingIsHandledOnceItIsThereAndTriedAgain(_ isRunning: Bool) async throws {
        try await with(pipeline: isRunning) { installation in
            try await installation.smuggle(
                Administered.key("key_1", to: "chat"), into: .mapping(provider: "openai"))
            try await eventually("it is parked") { try await letters(installation).count == 1 }
            let letter = try #require(try await letters(installation).first)
            #expect(letter["stage"] == "attributor")
            #expect(letter["type"] == "key.mapped")
            #expect(letter["id"]?.string == "attributor/\(letter["position"]?.text ?? "")")
            #expect(letter["error"]?.string?.contains("chat") == true)
            let position = try #require(letter["position"]?.text)
            let retry = ["dead-letters", "retry", "attributor/\(position)", "--reason", "try", "--json"]

            // The cause is still there: it is parked again.
            #expect(try await installation.run("finops", arguments: retry).expecting().json()["changed"] == true)
            try await eventually("it is parked again") { try await letters(installation).count == 1 }
            #expect(try await assignments(installation).isEmpty)

            try await installation.run("finops", "team", "add", "search").expecting()
            try await installation.run("finops", "project", "add", "chat", "--team", "search").expecting()
            #expect(try await installation.run("finops", arguments: retry).expecting().json()["changed"] == true)
            try await eventually("it is assigned") { try await assignments(installation).map(\.team) == ["search"] }
            #expect(try await letters(installation).isEmpty)
            #expect(try await letters(installation, all: true).map { $0["state"] } == ["retried"])
            #expect(try await installation.run("finops", arguments: retry).expecting().json()["changed"] == false)
        }
    }

    @Test(arguments: [false, true])
    func aRowThatTheProjectionsCannotHoldStopsThemUntilItIsSkipped(_ isRunning: Bool) async throws {
        try await with(pipeline: isRunning) { installation in
            let row = usageRow { $0.inputTokens = WireQuantities.countLimit }
            var recorded = WireUsageRecorded()
            recorded.row = row
            recorded.observed = row.bucketEnd
            try await installation.smuggle(
                .usageRecorded(recorded), into: .usage(account: "acme", day: day("2026-11-20")))
            try await eventually("it is listed") { try await letters(installation).count == 1 }
            let letter = try #require(try await letters(installation).first)
            #expect(letter["stage"] == "projector")
            #expect(letter["stream"] == "usage-acme-2026-11-20")
            let position = try #require(letter["position"]?.text)
            let answer = ["--stage", "projector", "--position", position, "--json"]

            // Nothing has changed, so a retry halts there again.
            try await installation.run("finops", arguments: ["dead-letters", "retry"] + answer).expecting()
            try await eventually("it is listed again") {
                try await letters(installation).first?["attempts"] != nil
            }
            try await installation.run("finops", arguments: ["dead-letters", "skip"] + answer).expecting(64)
            try await installation.run(
                "finops", arguments: ["dead-letters", "skip", "--reason", "no such count"] + answer
            ).expecting()
            let caughtUp = try await installation.run("projector", "catch-up", "--json").expecting().json()
            #expect((caughtUp["position"]?.integer ?? 0) > Int64(position) ?? .max)
            #expect(try await letters(installation).isEmpty)
            let audit = try await installation.run("reporter", "audit", "--json").expecting().json()
            #expect(audit["audit"]?.array?.contains { $0["reason"] == "no such count" } == true)
            if isRunning { try await installation.allReady() }
        }
    }

    private func abandon(_ notification: String, in installation: Installation) async throws {
        let abandoned = WireNotificationAbandoned.with {
            ($0.destination, $0.notification, $0.items, $0.attempts) = ("slack", notification, ["crossed-7"], 12)
            $0.reason = "no_service: the webhook is gone"
        }
        try await installation.smuggle(.notificationAbandoned(abandoned), into: .outbox("slack"))
    }

    @Test func aMessageThatWasGivenUpIsNamedByTheBeginningOfItsIdAndAnsweredOnce() async throws {
        try await with(pipeline: false) { installation in
            for notification in ["0f7c-1", "0f7c-2", "9a"] { try await abandon(notification, in: installation) }
            let listed = try await letters(installation)
            #expect(listed.map { $0["id"]?.string } == ["slack/0f7c-1", "slack/0f7c-2", "slack/9a"])
            let letter = try #require(listed.first)
            #expect(letter["stage"] == "notifier" && letter["destination"] == "slack" && letter["attempts"] == 12)
            #expect(letter["error"] == "no_service: the webhook is gone" && letter["stream"] == "outbox-slack")
            #expect(letter["since"]?.string.flatMap(Timestamp.init(rfc3339:)) != nil)

            let unclear = try await installation.run("finops", "dead-letters", "retry", "slack/0f").expecting(1)
            #expect(unclear.standardError.contains("slack/0f7c-1, slack/0f7c-2"))
            let unknown = try await installation.run("finops", "dead-letters", "retry", "mail-ko/").expecting(1)
            let steering = ["dead-letters", "retry", "a\u{1B}[31m\u{202E}b"]
            let shown = try await installation.run("finops", arguments: steering).expecting(1).standardError
            #expect(shown.contains("called a\u{FFFD}[31m\u{FFFD}b:"), "\(shown)")
            #expect(unknown.standardError.contains("finops dead-letters list"))

            let retry = ["dead-letters", "retry", "slack/9", "--reason", "the webhook is back", "--json"]
            #expect(try await installation.run("finops", arguments: retry).expecting().json()["changed"] == true)
            #expect(try await installation.run("finops", arguments: retry).expecting().json()["changed"] == false)
            let skip = ["dead-letters", "skip", "slack/0f7c-1", "--reason", "known by now", "--json"]
            #expect(try await installation.run("finops", arguments: skip).expecting().json()["changed"] == true)
            // The other one is the only one that is still open.
            try await installation.run("finops", "dead-letters", "skip", "slack/0f", "--reason", "too").expecting()
            #expect(try await letters(installation).isEmpty)
            let all = try await letters(installation, all: true)
            #expect(all.map { $0["state"]?.string } == ["skipped", "skipped", "retried"])
            #expect(all.map { $0["reason"]?.string } == ["known by now", "too", "the webhook is back"])
            let late = try await installation.run("finops", "dead-letters", "retry", "slack/0f7c-1").expecting(1)
            #expect(late.standardError.contains("was skipped before"))
            try await abandon("9a", in: installation)
            #expect(try await letters(installation).map { $0["id"]?.string } == ["slack/9a"])
        }
    }
}
