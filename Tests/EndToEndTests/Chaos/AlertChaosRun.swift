import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import SwiftProtobuf
import Synchronization
import TestSupport

/// One load on what an alert goes through: 200 projects that pass their limits one after the other, while the programs
/// between the usage and Slack are killed at random moments.
final class AlertChaosRun: Sendable {
    /// What is killed; the supervisor starts it again.
    enum Target: String, CaseIterable, Sendable {
        case watcher = "threshold-watcher run"
        case notifier = "notifier run"
        case eventLog = "event-log serve"
        case projector = "projector run"
    }

    static let projects = 200
    static let killsOfEach = 50
    private static let limit = Duration.seconds(150)
    /// 10 USD: 50 million tokens of 0.20 USD a million, in rows of a fifth of it.
    private static let limitNanos: Int64 = 10_000_000_000
    private static let rowsToTheLimit = 5

    let installation: Installation
    private let seed: UInt64
    private let day = Day(utc: wallTime())

    init(_ installation: Installation, seed: UInt64) {
        self.installation = installation
        self.seed = seed
    }

    static func project(_ number: Int) -> String { "chaos-\(number)" }

    private var directory: StateDirectory { StateDirectory(path: installation.directory) }
    var reader: SQLiteEventReader { SQLiteEventReader(files: LogFiles(database: directory.logDatabase)) }

    /// - Returns: how often each was killed.
    func play() async throws -> [Target: Int] {
        try await prepare()
        let up = try installation.start("finops", ["up"])
        defer { up.send(SIGKILL) }
        try await eventually("all are ready: \(up.standardErrorSoFar)") { try await self.areReady() }
        let kills = try await withThrowingTaskGroup(of: [Target: Int]?.self) { group in
            group.addTask {
                try await self.spend()
                return nil
            }
            group.addTask { try await self.kill() }
            var kills: [Target: Int] = [:]
            while let some = try await group.next() { kills = some ?? kills }
            return kills
        }
        try await eventually("everything is told", limit: .seconds(90)) { try await self.isAtRest() }
        up.send(SIGTERM)
        _ = await up.wait()
        return kills
    }

    // MARK: The load

    /// The default pipeline without the collector, whose part the test plays.
    private func prepare() async throws {
        let text = try String(contentsOf: PipelineTests.folder.appending(path: "default.yaml"), encoding: .utf8)
        let parts = text.components(separatedBy: "  - name: ingest-openai\n")
        let rest = (parts.last ?? "").components(separatedBy: "# What people's commands")
        let produced = [
            "usage.recorded", "usage.restated", "bill.recorded", "bill.restated", "run.finished", "run.failed",
            "call.recorded",
        ]
        let pipeline = installation.root.appending(path: "alerts.yaml").path
        try
            (parts[0] + "# What people's commands" + (rest.last ?? "")
            + (produced + ["model.unpriced", "notification.queued"]).map { "    - \($0)\n" }.joined())
            .write(toFile: pipeline, atomically: true, encoding: .utf8)
        try await installation.run("finops", "init", "--pipeline", pipeline).expecting()
        let file = installation.root.appending(path: "webhook")
        try Data("\(installation.address)/slack/T1/B1/secret".utf8).write(to: file)
        try await installation.run("finops", "channel", "set", "slack", "--url-file", file.path).expecting()
    }

    /// Projects, their mappings and thresholds, as the commands would write them.
    private func administration() -> [StreamAppend] {
        let names = (0..<Self.projects).map(Self.project)
        let team = FinOpsEvent.teamAdded(.with { $0.team = "chaos" })
        let connection = FinOpsEvent.connectionMade(.with { ($0.provider, $0.account) = ("openai", "load") })
        let limit = Money(nanos: Self.limitNanos, currency: .usd).wire
        return [
            StreamAppend(.teams, [new(team)]),
            StreamAppend(
                .projects, names.map { name in new(.projectAdded(.with { ($0.project, $0.team) = (name, "chaos") })) }),
            StreamAppend(.connection(provider: "openai", account: "load"), [new(connection)]),
            StreamAppend(
                .mapping(provider: "openai"),
                names.map { name in
                    new(
                        .providerProjectMapped(
                            .with { ($0.provider, $0.providerProjectID, $0.project) = ("openai", "proj-\(name)", name) }
                        ))
                }),
        ]
            + names.map { name in
                StreamAppend(
                    .threshold(.project(name)),
                    [
                        new(
                            .thresholdSet(
                                .with {
                                    ($0.scope, $0.name, $0.zone, $0.levels) = ("project", name, "Asia/Seoul", [100])
                                    $0.daily = limit
                                    $0.policy = "alert"
                                }))
                    ])
            }
    }

    private func new(_ event: FinOpsEvent) -> NewEvent {
        var random = SystemRandomNumberGenerator()
        return event.newEvent(id: .v7(at: wallTime(), using: &random), occurred: wallTime())
    }

    /// Every project reaches exactly its limit, and spends a little more.
    private func spend() async throws {
        let connection = try await LogConnector.remote.connect(directory)
        let store = connection.store
        let session = try await patiently { () throws(StoreError) in try await store.openSession("alert-load") }
        var sequence: UInt64 = 1
        let administration = AppendRequest(session: session, sequence: sequence, administration())
        _ = try await patiently { () throws(StoreError) in try await store.append(administration) }
        try await eventually("everything is mapped") {
            try await self.reader.read(after: .start, limit: 10_000, types: ["attribution.assigned"]).events.count
                == Self.projects
        }
        var random = SeededGenerator(seed: seed)
        for number in (0..<Self.projects).shuffled(using: &random) {
            for row in 0...Self.rowsToTheLimit {
                sequence += 1
                let request = AppendRequest(
                    session: session, sequence: sequence,
                    [StreamAppend(.usage(account: "load", day: day), [new(usage(number, row))])])
                _ = try await patiently { () throws(StoreError) in try await store.append(request) }
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...140, using: &random)))
            }
        }
        await connection.close()
    }

    private func usage(_ number: Int, _ row: Int) -> FinOpsEvent {
        var usage = usageRow(start: day.utcStart.seconds, project: "proj-\(Self.project(number))", key: "key-\(row)") {
            $0.inputTokens = 10_000_000
        }
        usage.account = "load"
        usage.cost = Money(nanos: Self.limitNanos / Int64(Self.rowsToTheLimit), currency: .usd).wire
        return .usageRecorded(
            .with {
                $0.row = usage
                $0.observed = wallTime().seconds
            })
    }

    private func patiently<Answer: Sendable>(
        _ call: @Sendable () async throws(StoreError) -> Answer
    ) async throws -> Answer {
        while true {
            do throws(StoreError) { return try await call() } catch {
                guard case .failed(let failure) = error, failure.isRetriable, !Task.isCancelled else { throw error }
            }
        }
    }

    // MARK: The kills

    private func kill() async throws -> [Target: Int] {
        var random = SeededGenerator(seed: seed &+ 1)
        var kills = Dictionary(uniqueKeysWithValues: Target.allCases.map { ($0, 0) })
        let end = ContinuousClock.now + Self.limit
        while kills.values.contains(where: { $0 < Self.killsOfEach }), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(Int.random(in: 200...700, using: &random)))
            let due = installation.processes().filter { process in
                Target(commandLine: process.commandLine).map { kills[$0, default: 0] < Self.killsOfEach } ?? false
            }
            guard let victim = due.randomElement(using: &random), let target = Target(commandLine: victim.commandLine)
            else { continue }
            if Foundation.kill(victim.pid, SIGKILL) == 0 { kills[target, default: 0] += 1 }
        }
        return kills
    }

    // MARK: The end

    private func areReady() async throws -> Bool {
        try ["event-log", "threshold-watcher", "notifier", "projector", "attributor"].allSatisfy {
            HealthClient.get("/readyz", socket: try directory.healthSocket(stage: $0))?.status == 200
        }
    }

    private func isAtRest() async throws -> Bool {
        guard try await areReady() else { return false }
        let crossed = try await reader.read(after: .start, limit: 10_000, types: ["threshold.crossed"]).events.count
        var outbox = Outbox(destination: "slack")
        for recorded in try await reader.readAll(stream: .outbox("slack")) {
            if let event = try EventCatalogue.decode(recorded.event) {
                outbox.evolve(event, at: recorded.event.occurred)
            }
        }
        return crossed >= Self.projects && outbox.depth == 0
    }
}

extension AlertChaosRun.Target {
    fileprivate init?(commandLine: String) {
        let words = commandLine.split(separator: " ").prefix(2)
        guard words.count == 2, let program = words[0].split(separator: "/").last else { return nil }
        self.init(rawValue: "\(program) \(words[1])")
    }
}
