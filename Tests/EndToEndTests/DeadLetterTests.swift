import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import TestSupport
import Testing

/// Events that a program failed on, from the failure to the answer of an administrator.
@Suite(.serialized) struct DeadLetterTests {
    /// Puts an event into the log past the commands that would refuse it.
    private func smuggle(_ event: FinOpsEvent, into stream: StreamName, of installation: Installation) async throws {
        var random = SystemRandomNumberGenerator()
        let now = wallTime()
        let new = event.newEvent(id: .v7(at: now, using: &random), occurred: now)
        try await LogSession.withLog(StateDirectory(path: installation.directory)) { store in
            let session = try await store.openSession(ProducerName("smuggler-\(new.id)"))
            _ = try await store.append(AppendRequest(session: session, sequence: 1, [StreamAppend(stream, [new])]))
        }
    }

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
            try await smuggle(
                Administered.key("key_1", to: "chat"), into: .mapping(provider: "openai"), of: installation)
            try await eventually("it is parked") { try await letters(installation).count == 1 }
            let letter = try #require(try await letters(installation).first)
            #expect(letter["stage"] == "attributor")
            #expect(letter["type"] == "key.mapped")
            #expect(letter["error"]?.string?.contains("chat") == true)
            let position = try #require(letter["position"]?.text)
            let retry = [
                "dead-letters", "retry", "--stage", "attributor", "--position", position, "--reason", "try", "--json",
            ]

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
            try await smuggle(
                .usageRecorded(recorded), into: .usage(account: "acme", day: day("2026-11-20")), of: installation)
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
}
