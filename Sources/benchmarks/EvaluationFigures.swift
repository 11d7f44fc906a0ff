import ArgumentParser
import EventLog
import FinOps
import Foundation
import Logging
import Runtime
import Stages
import Storage
import SwiftProtobuf

/// Thresholds: how fast costs are held against them, beside reading the same log and doing nothing.
enum EvaluationFigures {
    private static let thresholds = 10_000

    /// The watcher's own loop over a whole log, without writing: read, decoded, summed, judged.
    static func evaluation(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(2_000_000)
        let directory = StateDirectory(path: bench.fresh("log").path)
        try ArmedThresholds(count: thresholds).write(to: directory)
        try BulkFill.write(events: events, to: directory.path)
        let file = directory.logDatabase
        let samples = try await bench.alternate {
            Double(events) / (try await seconds(of: "reader-child", file))
        } ours: {
            Double(events) / (try await seconds(of: "watcher-child", file))
        }
        return [
            Result(
                figure: "threshold evaluation, \(thresholds) thresholds armed", value: samples.ours, unit: "events/s",
                limit: samples.limit, bound: .ratioAtLeast(0.3), note: "limit: the decoded catch-up read of the log")
        ]
    }

    /// A threshold that was never armed over ninety days of history, as a process.
    static func dryRun(_ bench: Bench) async throws -> [Result] {
        let days = 90
        let workload = Workload(keys: bench.quick ? 5 : 93, models: 10)
        let events = workload.keys * workload.models * 24 * days
        let directory = StateDirectory(path: bench.fresh("log").path)
        try BulkFill.write(events: events, to: directory.path, workload: workload)
        let first = Day(utc: Timestamp(seconds: workload.start))
        let arguments = [
            "dry-run", "--organisation", "--daily", "2700", "--weekly", "20000", "--zone", "Asia/Seoul", "--from",
            first.description, "--to", first.advanced(by: days - 1).description, "--json", "--dir", directory.path,
        ]
        let samples = try await bench.alternate {
            try await seconds(of: "reader-child", directory.logDatabase)
        } ours: {
            try await MeasuredProgram.run("threshold-watcher", arguments).seconds
        }
        return [
            Result(
                figure: "dry-run of one threshold over \(days) days, \(events) events, whole process",
                value: samples.ours, unit: "s", limit: samples.limit, bound: .atMost(10),
                note: "limit: the decoded catch-up read of the log")
        ]
    }

    private static func seconds(of child: String, _ file: String) async throws -> Double {
        let output = try await captureOutput(of: [child, "--file", file])
        guard let taken = Double(output.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw UnexpectedOutput(text: output)
        }
        return taken
    }
}

/// Thresholds of projects, teams and the organisation, by day and week, and keys that belong to the first projects. Few are
/// ever crossed by `Workload.typical`.
struct ArmedThresholds {
    let count: Int
    private static let teams = 100
    private static let crossed = 5

    /// Writes them into a log that nobody serves.
    func write(to directory: StateDirectory, keys: [String] = (0..<Workload.typical.keys).map { "key_bench_\($0)" })
        throws
    {
        try directory.prepare()
        let log = try SQLiteLog(files: LogFiles(database: directory.logDatabase)) { wallTime() }
        let session = try log.openSession("armed-thresholds")
        let thresholds = scopes.map { scope in
            StreamAppend(.threshold(scope), [threshold(scope).newEvent(in: .threshold(scope), occurred: wallTime())])
        }
        let stream = StreamName.assignment(provider: "openai", account: "acme")
        let assignments = keys.enumerated().map { number, key in
            assignment(key, number).newEvent(in: stream, occurred: wallTime())
        }
        for (sequence, appends) in [(UInt64(1), thresholds), (2, [StreamAppend(stream, assignments)])] {
            let outcome = log.append(group: [AppendRequest(session: session, sequence: sequence, appends)])
            for result in outcome.results { _ = try result.get() }
        }
    }

    private var scopes: [CostScope] {
        [.organisation] + (0..<Self.teams).map { .team("team-\($0)") }
            + (0..<count - Self.teams - 1).map { .project("project-\($0)") }
    }

    private func threshold(_ scope: CostScope) -> FinOpsEvent {
        let isCrossed = (0..<Self.crossed).contains { scope == .project("project-\($0)") }
        let dollars: Int64 = isCrossed ? 25 : 1_000_000
        return .thresholdSet(
            .with {
                $0.scope = scope.kind
                $0.name = scope.name
                $0.daily = Money(nanos: dollars * 1_000_000_000, currency: .usd).wire
                $0.weekly = Money(nanos: dollars * 7_000_000_000, currency: .usd).wire
                $0.levels = [80, 100]
                $0.zone = "Asia/Seoul"
            })
    }

    private func assignment(_ key: String, _ number: Int) -> FinOpsEvent {
        .attributionAssigned(
            .with {
                $0.provider = "openai"
                $0.account = "acme"
                $0.apiKeyID = key
                $0.project = "project-\(number)"
                $0.team = "team-\(number % 12)"
                $0.version = 1
            })
    }
}

/// Watches a log's file from its beginning, keeps what it finds to itself, and prints the seconds it took.
struct WatcherChild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option var file: String

    func run() async throws {
        let reader = SQLiteEventReader(files: LogFiles(database: file))
        var logger = Logger(label: "watcher-child")
        // A line for each crossing is the pipeline's, not the measurement's.
        logger.logLevel = .warning
        let watcher = ThresholdWatcher(
            store: DiscardingStore(reader: reader), reader: reader, currency: .usd, logger: logger,
            now: { wallTime() })
        print(try await seconds { try await watcher.catchUp() })
    }
}

/// A log that takes everything and keeps nothing.
private struct DiscardingStore: EventStore {
    let reader: SQLiteEventReader

    func openSession(_ producer: ProducerName) -> ProducerSession {
        ProducerSession(producer: producer, epoch: 1, lastSequence: 0)
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        AppendReceipt(first: try await reader.head(), count: request.eventCount, repeated: false)
    }

    func head() async throws(StoreError) -> Position { try await reader.head() }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await reader.read(after: position, limit: limit, types: types)
    }

    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        try await reader.read(stream: stream, after: version, limit: limit)
    }

    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await reader.streams(prefix: prefix, after: name, limit: limit)
    }

    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await reader.session(of: producer)
    }
}
