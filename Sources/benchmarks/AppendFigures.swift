import CLimits
import EventLog
import Foundation
import Messaging
import Runtime

enum AppendFigures {
    static let producers = 4
    static let batch = 500
    static let limitPayload: Int32 = 350

    /// Durable append over the bus, beside a C loop on the textbook table.
    static func throughput(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(400_000)
        let share = events / producers
        let batches = (0..<producers).map { preparedBatches(events: share, batch: batch, from: $0 * share) }
        let samples = try await bench.alternate {
            Double(events) / (try limitAppend(bench, events: events))
        } ours: {
            let log = try await LogProcess.start(at: bench.fresh("log").path)
            defer { bench.remove(log.directory.path) }
            let taken = try await seconds { try await log.append(batches, named: "bench") }
            await log.stop()
            return Double(events) / taken
        }
        return [
            Result(
                figure: "durable append over the bus, 4 producers × 500", value: samples.ours, unit: "events/s",
                limit: samples.limit, bound: .ratioAtLeast(0.6))
        ]
    }

    private static func limitAppend(_ bench: Bench, events: Int) throws -> Double {
        var log: UnsafeMutableRawPointer?
        let path = bench.fresh("limit").path
        _ = try checked(Double(limit_log_open(path, 1, &log)), "opening the C log")
        defer {
            limit_log_close(log)
            bench.remove(path)
        }
        return try checked(limit_log_append(log, Int64(events), 1_000, limitPayload, 16), "the C append loop")
    }

    /// One event, append to acknowledgement, beside a raw commit plus a raw round trip.
    static func latency(_ bench: Bench) async throws -> [Result] {
        let count = bench.events(4_000)
        let log = try await LogProcess.start(at: bench.fresh("log").path)
        let store = try log.connect()
        let session = try await store.openSession("latency")
        var number = 0
        let samples = try await bench.alternate {
            try limitLatency(bench, count: count)
        } ours: {
            var each: [Double] = []
            for _ in 0..<count {
                number += 1
                let request = AppendRequest(
                    session: session, sequence: UInt64(number), Workload.typical.appends(number..<number + 1))
                each.append(try await seconds { _ = try await store.append(request) })
            }
            return Samples(each).median * 1_000
        }
        store.close()
        await log.stop()
        return [
            Result(
                figure: "one event, append to acknowledgement, p50", value: samples.ours, unit: "ms",
                limit: samples.limit, bound: .ratioAtMost(2.5))
        ]
    }

    /// Milliseconds of a raw commit's median plus a raw round trip's.
    private static func limitLatency(_ bench: Bench, count: Int) throws -> Double {
        var log: UnsafeMutableRawPointer?
        _ = try checked(Double(limit_log_open(bench.fresh("limit").path, 1, &log)), "opening the C log")
        defer { limit_log_close(log) }
        var commits = [Double](repeating: 0, count: count)
        _ = try checked(Double(limit_log_commits(log, Int32(count), limitPayload, &commits)), "the C commits")
        var trips = [Double](repeating: 0, count: count)
        let endpoint = "ipc://" + bench.fresh("trip").path
        _ = try checked(Double(limit_round_trips(endpoint, Int32(count), limitPayload, &trips)), "the raw round trips")
        return (Samples(commits).median + Samples(trips).median) * 1_000
    }

    /// What ten million events in the log do to the append rate, beside what they do to the C loop's. Each ratio is of two
    /// runs one right after the other, so that a slow minute of the machine hits both.
    static func growth(_ bench: Bench) async throws -> [Result] {
        let full = bench.events(10_000_000)
        let probe = bench.events(200_000)
        let directory = bench.fresh("log").path
        try await BulkFill.write(events: full, to: directory)
        var grownLimit: UnsafeMutableRawPointer?
        _ = try checked(Double(limit_log_open(bench.fresh("limit").path, 1, &grownLimit)), "opening the C log")
        defer { limit_log_close(grownLimit) }
        func fillLimit(_ events: Int) throws -> Double {
            try checked(limit_log_append(grownLimit, Int64(events), 1_000, limitPayload, 16), "the C append loop")
        }
        _ = try fillLimit(full)
        let grown = try await LogProcess.start(at: directory)
        var written = full
        let ratios = try await bench.alternate {
            let empty = try limitAppend(bench, events: probe)
            bench.flushDisk()
            return empty / (try fillLimit(probe))
        } ours: {
            let log = try await LogProcess.start(at: bench.fresh("log").path)
            defer { bench.remove(log.directory.path) }
            let empty = try await appendRate(to: log, events: probe, from: 0)
            await log.stop()
            bench.flushDisk()
            defer { written += probe }
            return try await appendRate(to: grown, events: probe, from: written) / empty
        }
        await grown.stop()
        return [
            Result(
                figure: "append rate with \(full) events in the log ÷ with none", value: ratios.ours, unit: "ratio",
                limit: ratios.limit, bound: .ratioAtLeast(0.9))
        ]
    }

    /// Events a second of the usual producers, each batch acknowledged.
    private static func appendRate(to log: LogProcess, events: Int, from first: Int) async throws -> Double {
        let share = events / producers
        let batches = (0..<producers).map { preparedBatches(events: share, batch: batch, from: first + $0 * share) }
        return Double(events) / (try await seconds { try await log.append(batches, named: "probe-\(first)") })
    }
}
