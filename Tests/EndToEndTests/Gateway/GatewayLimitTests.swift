import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Whose limit it is and which days it counts: a team's, the organisation's, a week's. A caller that is refused is told all of
/// it, and a limit that only alerts refuses nobody.
@Suite(.serialized) struct GatewayLimitTests {
    private static let contact = "Kim Lee in FinOps"
    /// What each call costs, in nano-dollars.
    private static let cost = 9 * 2_500 + 300 * 10_000

    private func with(
        projects: [String] = ["chatbot"], _ body: (GatewayScene, ProviderStandIn) async throws -> Void
    ) async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 300)) }
        try await GatewayScene.with(
            projects: projects, upstreams: [["openai", "--name", "main", "--base-url", provider.url]],
            configuration: ["gateway_contact: \(Self.contact)"], atNoon: true
        ) { try await body($0, provider) }
    }

    // MARK: Whose

    @Test func aTeamsLimitIsMetByItsProjectsTogetherAndByNoOther() async throws {
        try await with(projects: ["chatbot", "search"]) { scene, provider in
            let keys = try await keys(scene)
            // Two calls are less than it, three are more.
            try await limit(scene, "--team", "apps", "--daily", "0.009")
            let gateway = try await scene.gateway()
            for project in ["chatbot", "search", "chatbot"] {
                _ = try await gateway.firstAnswer(keys[project] ?? "")
            }
            let resets = try midnight(scene, "Asia/Seoul")
            for project in ["chatbot", "search"] {
                try await expectRefused(
                    gateway, keys[project], project, "0.009000000 USD a day of team apps", resets, "Asia/Seoul")
            }
            for _ in 1...4 { #expect(await gateway.post(key: keys["lab"] ?? "")?.status == 200) }
            try await expectAll(scene, provider, calls: ["chatbot": 2, "search": 1, "lab": 4])
            await scene.end(gateway.program)
        }
    }

    /// Its days are those of the zone that it names.
    @Test func theOrganisationsLimitIsMetByAllTeamsTogether() async throws {
        try await with { scene, provider in
            let keys = try await keys(scene)
            try await limit(scene, "--organisation", "--daily", "0.009", "--zone", "Europe/Berlin")
            let gateway = try await scene.gateway()
            for project in ["chatbot", "lab", "chatbot"] { _ = try await gateway.firstAnswer(keys[project] ?? "") }
            let resets = try midnight(scene, "Europe/Berlin")
            for project in ["chatbot", "lab"] {
                try await expectRefused(
                    gateway, keys[project], project, "0.009000000 USD a day of the organisation", resets,
                    "Europe/Berlin")
            }
            try await expectAll(scene, provider, calls: ["chatbot": 2, "lab": 1])
            await scene.end(gateway.program)
        }
    }

    // MARK: For how long

    /// What a day's limit gives back the next morning a week's keeps until Monday.
    @Test func aWeeksLimitGoesOnWhereADaysBeginsAnewAndEndsOnMonday() async throws {
        try await with { scene, provider in
            let key = try await scene.key().text
            // Three calls are less than the day's and four are more; with six the week has room for one.
            try await limit(scene, "--project", "chatbot", "--daily", "0.010", "--weekly", "0.020")
            let now = try PipelineClock.load(from: StateDirectory(path: scene.installation.directory)).now()
            let monday = try calendar("Asia/Seoul").day(of: now).monday.advanced(by: 7)
            let week = try start(of: monday.advanced(by: 7), "Asia/Seoul")
            await scene.end(scene.log)

            try await atNoon(of: monday.advanced(by: 1), scene) { gateway in
                _ = try await gateway.firstAnswer(key)
                for _ in 2...4 { #expect(await gateway.post(key: key)?.status == 200) }
                let resets = try start(of: monday.advanced(by: 2), "Asia/Seoul")
                try await expectRefused(gateway, key, "chatbot", "0.010000000 USD a day", resets, "Asia/Seoul")
            }
            try await atNoon(of: monday.advanced(by: 2), scene) { gateway in
                _ = try await gateway.firstAnswer(key)
                for _ in 2...3 { #expect(await gateway.post(key: key)?.status == 200) }
                try await expectRefused(gateway, key, "chatbot", "0.020000000 USD a week", week, "Asia/Seoul")
            }
            // Nothing of today's is spent, and the week's last day is a day of it.
            try await atNoon(of: monday.advanced(by: 6), scene) { gateway in
                var refused: HTTPAnswer?
                try await eventually("it knows the key, not \(String(describing: refused))") {
                    refused = await gateway.post(key: key)
                    return refused?.status == 429
                }
                try await expectRefused(gateway, key, "chatbot", "0.020000000 USD a week", week, "Asia/Seoul")
            }
            try await atNoon(of: monday.advanced(by: 7), scene) { _ = try await $0.firstAnswer(key) }
            try await expectAll(scene, provider, calls: ["chatbot": 8])
        }
    }

    /// Runs a log and a gateway on another day.
    private func atNoon(
        of day: Day, _ scene: GatewayScene, _ body: (SceneGateway) async throws -> Void
    ) async throws {
        let noon = try calendar("Asia/Seoul").instant(of: day, secondsFromMidnight: 12 * 3_600)
        try PipelineClock(scale: .init(start: noon, rate: 1, anchor: wallTime()))
            .store(in: StateDirectory(path: scene.installation.directory))
        let log = try await scene.installation.serveLog()
        defer { log.send(SIGKILL) }
        let gateway = try await scene.gateway()
        try await body(gateway)
        // What is recorded today must be in the log before it is another day.
        await scene.end(gateway.program)
        await scene.end(log)
    }

    // MARK: What becomes of it

    @Test func aLimitThatOnlyAlertsRefusesNothingAndIsToldOf() async throws {
        try await with { scene, provider in
            let webhook = scene.installation.root.appending(path: "webhook")
            try Data("\(scene.installation.address)/slack/T1/B1/secret".utf8).write(to: webhook)
            try await scene.installation.run("finops", "channel", "set", "slack", "--url-file", webhook.path)
                .expecting()
            let (id, key) = try await scene.key()
            try await limit(scene, "--project", "chatbot", "--daily", "0.01", policy: "alert")
            let gateway = try await scene.gateway()
            let programs = try ["threshold-watcher", "notifier"].map { try scene.installation.start($0, ["run"]) }
            defer { for program in programs { program.send(SIGKILL) } }
            _ = try await gateway.firstAnswer(key)
            for _ in 2...6 { #expect(await gateway.post(key: key)?.status == 200) }

            var crossed: JSONValue?
            try await eventually("it is known, not \(String(describing: crossed)): \(programs[0].standardErrorSoFar)") {
                let list = try await scene.installation.run("finops", "alert", "list", "--json").expecting().json()
                crossed = list["alerts"]?.array?.first { $0["level"]?.integer == 100 }
                return crossed != nil
            }
            #expect(crossed?["name"] == "chatbot" && crossed?["window"] == "day" && crossed?["limit"] == "0.010000000")
            var told = ""
            try await eventually("people are told, not \(told): \(programs[1].standardErrorSoFar)") {
                told = try await scene.installation.control("GET", "/sandbox/slack")["messages"]?.text ?? ""
                return told.contains("apps · chatbot · $")
            }

            // By then a policy that does more would have done it.
            #expect(await gateway.post(key: key)?.status == 200)
            let keys = try await scene.installation.run("finops", "key", "list", "--json").expecting().json()
            #expect(keys.array?.first { $0["id"]?.string == id }?["status"] == "active", "\(keys.text)")
            try await expectAll(scene, provider, calls: ["chatbot": 7])
            for program in programs + [gateway.program] { await scene.end(program) }
        }
    }

    // MARK: Parts

    /// A key for each project: those of the scene, and `lab` of another team.
    private func keys(_ scene: GatewayScene) async throws -> [String: String] {
        try await scene.installation.run("finops", "team", "add", "science").expecting()
        try await scene.installation.run("finops", "project", "add", "lab", "--team", "science").expecting()
        let listed = try await scene.installation.run("finops", "project", "list", "--json").expecting().json()
        var keys: [String: String] = [:]
        for project in (listed.array ?? []).compactMap({ $0["name"]?.string ?? $0["project"]?.string }) {
            keys[project] = try await scene.key(project).text
        }
        return keys
    }

    private func limit(_ scene: GatewayScene, _ words: String..., policy: String = "block") async throws {
        try await scene.installation.run(
            "finops", arguments: ["threshold", "set"] + words + ["--policy", policy]
        ).expecting()
    }

    /// By the words that say whose limit it is, how much, until when and whom to ask; the client does not ask again by itself.
    private func expectRefused(
        _ gateway: SceneGateway, _ key: String?, _ project: String, _ limit: String, _ resets: Timestamp,
        _ zone: String
    ) async throws {
        let answer = try #require(await gateway.post(key: key ?? ""))
        #expect(answer.status == 429 && answer.field("x-should-retry") == "false")
        let error = try JSONValue.parse(answer.body)["error"]
        #expect(error?["code"] == "insufficient_quota" && error?["type"] == "insufficient_quota")
        let sentence =
            "Project \(project) has reached its limit of \(limit). "
            + "It resets at \(resets.rfc3339) (midnight in \(zone)). Ask \(Self.contact)."
        #expect(error?["message"]?.string == sentence)
    }

    /// What the provider was asked is on record, and nothing that was refused.
    private func expectAll(_ scene: GatewayScene, _ provider: ProviderStandIn, calls: [String: Int]) async throws {
        let sum = calls.values.reduce(0, +)
        let recorded = try await scene.installation.recordedCalls(atLeast: sum)
        #expect(recorded.reduce(into: [:]) { $0[$1.project, default: 0] += 1 } == calls)
        #expect(recorded.allSatisfy { $0.cost.nanos == Int64(Self.cost) } && provider.requests.count == sum)
    }

    /// The end of the scene's day.
    private func midnight(_ scene: GatewayScene, _ zone: String) throws -> Timestamp {
        let now = try PipelineClock.load(from: StateDirectory(path: scene.installation.directory)).now()
        return try start(of: try calendar(zone).day(of: now).advanced(by: 1), zone)
    }

    private func start(of day: Day, _ zone: String) throws -> Timestamp { try calendar(zone).start(of: day) }

    private func calendar(_ zone: String) throws -> BusinessCalendar { try #require(BusinessCalendar(zone)) }
}
