import CLimits
import EventLog
import FinOps
import Foundation
import Messaging
import Runtime
import SwiftProtobuf
import Synchronization

/// How long it takes from a cost to the message about it, through the real programs.
enum AlertFigures {
    private static let backgroundBatch = 10
    private static let backgroundPause: Duration = .milliseconds(10)
    /// Events a second: with fewer the figure would not be what it says.
    private static let leastNoise = 950.0
    /// A webhook takes a message a second.
    private static let pace: Duration = .milliseconds(1_150)
    private static let longestWait: Duration = .seconds(20)

    /// Append → crossing → request at a stand-in for Slack, with a thousand events a second beside it.
    static func latency(_ bench: Bench) async throws -> [Result] {
        let samples = bench.quick ? 20 : 100
        let slack = try SlackStandIn()
        defer { slack.close() }
        let directory = StateDirectory(path: bench.fresh("alerts").path)
        let scene = AlertScene(directory: directory, projects: samples + 1)
        try await scene.prepare(webhook: "http://127.0.0.1:\(slack.port)/services/T0/B0/bench")
        let limits = try limit(bench, count: bench.events(4_000))
        let log = try await LogProcess.start(at: directory.path)
        let programs = try ["threshold-watcher", "notifier"].map { try scene.start($0) }
        let milliseconds = try await measure(scene, log, slack, samples)
        for program in programs { _ = await program.stop() }
        await log.stop()
        let values = Samples(milliseconds)
        func result(_ name: String, _ share: Double, _ bound: Double) -> Result {
            Result(
                figure: "append → crossing → request to Slack, 1,000 events/s beside it, \(name)",
                value: Samples([values.percentile(share)]), unit: "ms", limit: Samples([limits.percentile(share)]),
                bound: .atMost(bound), note: "limit: C commit + one hop; \(samples) alerts")
        }
        return [result("p50", 0.5, 10), result("p99", 0.99, 100)]
    }

    private static func measure(_ scene: AlertScene, _ log: LogProcess, _ slack: SlackStandIn, _ samples: Int)
        async throws -> [Double]
    {
        let store = try log.connect()
        defer { store.close() }
        let session = try await store.openSession("expense")
        // The first one waits for the programs to be ready.
        _ = try await store.append(AppendRequest(session: session, sequence: 1, [scene.expense(of: 0)]))
        _ = try await arrival(0, at: slack)
        let written = Counter()
        let background = Task { try await makeNoise(log, written) }
        defer { background.cancel() }
        let began = ContinuousClock.now
        var milliseconds: [Double] = []
        for number in 1...samples {
            try await Task.sleep(for: pace)
            let expense = scene.expense(of: number)
            let start = ContinuousClock.now
            _ = try await store.append(AppendRequest(session: session, sequence: UInt64(number) + 1, [expense]))
            milliseconds.append((try await arrival(number, at: slack) - start) / .milliseconds(1))
        }
        let rate = Double(written.value) / ((ContinuousClock.now - began) / .seconds(1))
        guard rate >= leastNoise else { throw UnexpectedOutput(text: "only \(Int(rate)) events/s beside the alerts") }
        return milliseconds
    }

    private static func arrival(_ number: Int, at slack: SlackStandIn) async throws -> ContinuousClock.Instant {
        let end = ContinuousClock.now + longestWait
        while ContinuousClock.now < end {
            if let arrival = slack.arrival(number) { return arrival }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw UnexpectedOutput(text: "alert \(number) did not arrive")
    }

    private static func makeNoise(_ log: LogProcess, _ written: Counter) async throws {
        let store = try log.connect()
        defer { store.close() }
        let session = try await store.openSession("noise")
        var next = ContinuousClock.now
        for sequence in 0... {
            let first = sequence * backgroundBatch
            _ = try await store.append(
                AppendRequest(
                    session: session, sequence: UInt64(sequence) + 1,
                    Workload.typical.appends(first..<first + backgroundBatch)))
            written.add(backgroundBatch)
            next += backgroundPause
            try await Task.sleep(until: next, clock: .continuous)
        }
    }

    /// Milliseconds of raw commits, each with the hop that the one of the same rank took.
    private static func limit(_ bench: Bench, count: Int) throws -> Samples {
        var log: UnsafeMutableRawPointer?
        _ = try checked(Double(limit_log_open(bench.fresh("limit").path, 1, &log)), "opening the C log")
        defer { limit_log_close(log) }
        var commits = [Double](repeating: 0, count: count)
        _ = try checked(
            Double(limit_log_commits(log, Int32(count), AppendFigures.limitPayload, &commits)), "the C commits")
        var trips = [Double](repeating: 0, count: count)
        let endpoint = "ipc://" + bench.fresh("trip").path
        _ = try checked(
            Double(limit_round_trips(endpoint, Int32(count), AppendFigures.limitPayload, &trips)), "the raw round trips"
        )
        return Samples(zip(Samples(commits).values, Samples(trips).values).map { ($0 + $1 / 2) * 1_000 })
    }
}

/// Events that one task writes and another counts.
private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add(_ number: Int) { count.add(number, ordering: .relaxed) }
}

/// A directory with a channel, a threshold for each of some projects, and keys that belong to them.
struct AlertScene {
    let directory: StateDirectory
    let projects: Int

    func prepare(webhook: String) async throws {
        let finops = try ProgramLocator.beside().path(of: "finops")
        _ = try await captureOutput(of: ["init", "--dir", directory.path], program: finops)
        let file = directory.path + "/webhook"
        try Data(webhook.utf8).write(to: URL(filePath: file))
        _ = try await captureOutput(
            of: ["channel", "set", "slack", "--url-file", file, "--dir", directory.path], program: finops)
        try ArmedThresholds(count: 10_000).write(to: directory, keys: (0..<projects).map { "expense_\($0)" })
    }

    func start(_ program: String) throws -> ChildProcess {
        try ChildProcess(
            .init(
                path: try ProgramLocator.beside().path(of: program),
                arguments: ["run", "--lifeline", "--dir", directory.path], hasLifeline: true))
    }

    /// A cost that takes its project past both levels of its limit.
    func expense(of number: Int) -> StreamAppend {
        let hour = Workload.typical.start
        let event = FinOpsEvent.usageRecorded(
            .with {
                $0.row = .with {
                    $0.provider = "openai"
                    $0.account = "acme"
                    $0.kind = "completions"
                    $0.bucketStart = hour
                    $0.bucketEnd = hour + 3_600
                    $0.apiKeyID = "expense_\(number)"
                    $0.model = "gpt-5"
                    $0.cost = Money(nanos: 2_000_000_000_000_000, currency: .usd).wire
                }
                $0.observed = hour + 3_600
            })
        let stream = StreamName.usage(account: "acme", day: Day(utc: Timestamp(seconds: hour)))
        return StreamAppend(stream, [event.newEvent(in: stream, occurred: wallTime())])
    }
}
