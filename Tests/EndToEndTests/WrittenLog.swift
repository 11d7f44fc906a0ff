import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage

/// A state directory whose log a test wrote itself, with a clock that stands still: 2026-11-22, 12:00 in Seoul, a Sunday.
struct WrittenLog: Sendable {
    let root: URL
    let directory: StateDirectory

    static let now = Day("2026-11-22")!.utcStart.advanced(bySeconds: 3 * 3_600)

    static func with(_ body: (WrittenLog) async throws -> Void) async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "finops-\(UUID().uuidString.prefix(8))")
        let log = WrittenLog(root: root, directory: StateDirectory(path: root.appending(path: "state").path))
        try FileManager.default.createDirectory(
            at: root.appending(path: "scratch"), withIntermediateDirectories: true)
        defer {
            // A test that leaves a file fails the next one's disk, not this one's claim.
            try? FileManager.default.removeItem(at: root)
        }
        try log.directory.prepare()
        try PipelineClock(scale: .init(start: now, rate: 1, anchor: now, frozen: now)).store(in: log.directory)
        try await body(log)
    }

    /// Appends to the log as its one writer; positions go on from where it ends.
    func append(_ events: [FinOpsEvent], actor: String = "tester", recorded: Timestamp = now) throws {
        let log = try open(recorded)
        let session = try log.openSession(ProducerName("test-\(UUID().uuidString)"))
        for (number, start) in stride(from: 0, to: events.count, by: EventLimits.requestEvents).enumerated() {
            let chunk = events[start..<min(start + EventLimits.requestEvents, events.count)].enumerated().map {
                $1.newEvent(
                    id: EventID(high: UInt64(number), low: UInt64($0) + 1), occurred: recorded, actor: actor)
            }
            let request = AppendRequest(
                session: session, sequence: session.lastSequence + UInt64(number) + 1,
                [StreamAppend(StreamName("test-events"), chunk)])
            for result in log.append(group: [request]).results { _ = try result.get() }
        }
    }

    /// A neighbour's child between fork and exec holds every descriptor, and so the lock of a log just closed.
    private func open(_ recorded: Timestamp) throws -> SQLiteLog {
        for _ in 0..<500 {
            do throws(StoreError) {
                return try SQLiteLog(files: LogFiles(database: directory.logDatabase)) { recorded }
            } catch {
                guard case .failed(let failure) = error, failure.code == "log-locked" else { throw error }
                usleep(10_000)
            }
        }
        throw Unexpected("the log of \(directory.path) stays locked")
    }

    func start(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        try RunningProgram(
            program, arguments + ["--dir", directory.path], scratch: root.appending(path: "scratch"),
            environment: environment)
    }

    @discardableResult
    func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> ProgramResult
    {
        await (try start(program, arguments, environment: environment)).wait()
    }

    func reporter(_ line: String) async throws -> ProgramResult {
        try await run("reporter", line.split(separator: " ").map(String.init))
    }

    /// What `reporter LINE --json` says, of a run that succeeds.
    func answer(_ line: String) async throws -> JSONValue { try await reporter(line + " --json").expecting().json() }
}

/// The events that the tests of `reporter` ask about: two teams, an unpriced row, one in euros, one restated.
enum ReportedEvents {
    static func row(
        _ hour: String, key: String, model: String = "gpt-4o", nanos: Int64?, currency: String = "USD",
        input: Int64 = 100
    ) -> WireUsageRow {
        let parts = hour.split(separator: "T")
        var row = WireUsageRow()
        row.provider = "openai"
        row.account = "acme"
        row.kind = "completions"
        row.bucketStart = Day(parts[0])!.utcStart.seconds + Int64(parts[1])! * 3_600
        row.bucketEnd = row.bucketStart + 3_600
        row.projectID = "proj-1"
        row.apiKeyID = key
        row.model = model
        row.batch = false
        row.serviceTier = "default"
        row.quantities.requests = 3
        row.quantities.inputTokens = input
        row.quantities.cachedInputTokens = 40
        row.quantities.outputTokens = 10
        if let nanos {
            row.cost.nanos = nanos
            row.cost.currency = currency
            row.priceVersion = "2026-11-01"
        } else {
            row.unpricedReason = "no price"
        }
        return row
    }

    static func recorded(_ row: WireUsageRow) -> FinOpsEvent {
        var event = WireUsageRecorded()
        event.row = row
        event.observed = row.bucketEnd + 600
        return .usageRecorded(event)
    }

    static func restated(_ row: WireUsageRow, from previous: WireUsageRow) -> FinOpsEvent {
        var event = WireUsageRestated()
        event.row = row
        event.observed = row.bucketEnd + 90_000
        event.previous = previous.quantities
        event.previousCost = previous.cost
        event.difference.nanos = row.cost.nanos - previous.cost.nanos
        event.difference.currency = row.cost.currency
        event.previousObserved = previous.bucketEnd + 600
        return .usageRestated(event)
    }

    private static func assigned(_ key: String, _ team: String, _ project: String, version: UInt64) -> FinOpsEvent {
        var event = WireAttributionAssigned()
        event.provider = "openai"
        event.account = "acme"
        event.apiKeyID = key
        event.team = team
        event.project = project
        event.version = version
        return .attributionAssigned(event)
    }

    static var directory: [FinOpsEvent] {
        var team = WireTeamAdded()
        team.team = "search"
        team.reason = "a new team"
        var project = WireProjectAdded()
        project.project = "ranking"
        project.team = "search"
        project.reason = "its first project"
        var started = WireRunStarted()
        started.run = "run-1"
        started.provider = "openai"
        started.account = "acme"
        started.kind = "daily"
        started.fromDay = "2026-11-21"
        started.toDay = "2026-11-21"
        var finished = WireRunFinished()
        finished.run = "run-1"
        finished.provider = "openai"
        finished.account = "acme"
        finished.kind = "daily"
        finished.fromDay = "2026-11-21"
        finished.toDay = "2026-11-21"
        finished.rows = 4
        return [
            .teamAdded(team), .projectAdded(project), assigned("key-a", "search", "ranking", version: 1),
            .runStarted(started), .runFinished(finished),
        ]
    }

    static let lastWeek = row("2026-11-12T05", key: "key-a", nanos: 1_000_000_000)

    /// In Seoul: the 21st (yesterday), the 20th, the 12th, then the 21st without a price and in euros.
    static var usage: [FinOpsEvent] {
        var unpriced = row("2026-11-20T17", key: "key-c", model: "in-house", nanos: nil, input: 7)
        unpriced.batch = true
        unpriced.clearServiceTier()
        return [
            recorded(row("2026-11-20T16", key: "key-a", nanos: 12_345_678_901)),
            recorded(row("2026-11-20T14", key: "key-b", model: "gpt-4o-mini", nanos: 2_000_000_000)),
            recorded(lastWeek), recorded(unpriced),
            recorded(row("2026-11-20T18", key: "key-d", nanos: 1_000_000_000, currency: "EUR")),
        ]
    }

    /// Position 11: what the provider changed its mind about.
    static var restatement: FinOpsEvent {
        restated(row("2026-11-12T05", key: "key-a", nanos: 1_500_000_000, input: 150), from: lastWeek)
    }
}
