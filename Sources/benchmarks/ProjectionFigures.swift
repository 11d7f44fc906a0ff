import CLimits
import EventLog
import FinOps
import Foundation
import Runtime

/// Read models: how fast they are built, and how fast an answer comes from them.
enum ProjectionFigures {
    /// A rebuild of all projections as a process, beside a C loop that upserts as many cost rows and keeps nothing else.
    static func rebuild(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(5_000_000)
        let directory = try await company(events, bench)
        var peaks: [Double] = []
        var growths: [Double] = []
        let samples = try await bench.alternate {
            let file = bench.fresh("limit").path
            defer { remove(database: file) }
            return Double(events) / (try checked(limit_upsert(file, Int64(events), 0), "the C upsert loop"))
        } ours: {
            let run = try await MeasuredProgram.run(
                "projector", ["rebuild", "--quiet", "--dir", directory.path])
            peaks.append(run.peakMegabytes)
            growths.append(run.peakMegabytes / run.peakMegabytesAtHalf)
            return Double(events) / run.seconds
        }
        return [
            Result(
                figure: "rebuild of all projections from \(events) usage events", value: samples.ours,
                unit: "events/s", limit: samples.limit, bound: .atLeast(200_000)),
            Result(
                figure: "rebuild, peak memory", value: Samples(peaks), unit: "MB", limit: nil, bound: .atMost(300)),
            Result(
                figure: "rebuild, peak memory at its end ÷ at half its time", value: Samples(growths), unit: "ratio",
                limit: nil, bound: .atMost(1.25)),
        ]
    }

    /// A team report over thirty days as a process, with a long history and with a short one, beside a program that uses
    /// Foundation for nothing but today's date.
    static func report(_ bench: Bench) async throws -> [Result] {
        let (short, long) = (bench.events(1_000_000), bench.events(10_000_000))
        let small = try await company(short, bench)
        let large = try await company(long, bench)
        for directory in [small, large] {
            _ = try await MeasuredProgram.run("projector", ["rebuild", "--quiet", "--dir", directory.path])
        }
        func milliseconds(_ directory: StateDirectory) async throws -> Double {
            let arguments = ["costs", "--by", "team", "--last", "30d", "--dir", directory.path]
            return try await MeasuredProgram.run("reporter", arguments).seconds * 1_000
        }
        var empty: [Double] = []
        var few: [Double] = []
        var many: [Double] = []
        for _ in 0..<bench.runs * 5 {
            empty.append(try await MeasuredProgram.run("empty-program", []).seconds * 1_000)
            few.append(try await milliseconds(small))
            many.append(try await milliseconds(large))
        }
        return [
            Result(
                figure: "reporter costs --by team --last 30d at \(long) events, whole process", value: Samples(many),
                unit: "ms", limit: Samples(empty), bound: .atMost(60), note: "limit: an empty Foundation program"),
            Result(
                figure: "reporter costs --by team --last 30d at \(long) events ÷ at \(short)", value: Samples(many),
                unit: "ms", limit: Samples(few), bound: .ratioAtMost(1.2)),
        ]
    }

    /// A rebuild from calls through gateways: each is a row of its own and a part of an hour's costs.
    static func rebuildCalls(_ bench: Bench) async throws -> [Result] {
        let calls = bench.events(1_000_000)
        let directory = StateDirectory(path: bench.fresh("calls").path)
        try CallHistory(calls: calls, today: Day(utc: wallTime())).write(to: directory)
        var rates: [Double] = []
        for _ in 0..<bench.runs {
            let run = try await MeasuredProgram.run("projector", ["rebuild", "--quiet", "--dir", directory.path])
            rates.append(Double(calls) / run.seconds)
        }
        return [
            Result(
                figure: "rebuild of all projections from \(calls) calls", value: Samples(rates), unit: "events/s",
                limit: nil, bound: .atLeast(100_000))
        ]
    }

    private static func company(_ events: Int, _ bench: Bench) async throws -> StateDirectory {
        let directory = StateDirectory(path: bench.fresh("company").path)
        try await CompanyHistory(usageEvents: events, today: Day(utc: wallTime())).write(to: directory)
        return directory
    }

    private static func remove(database path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}
