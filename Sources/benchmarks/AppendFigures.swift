import CLimits
import EventLog
import Foundation
import Messaging

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
        _ = try checked(Double(limit_log_open(bench.fresh("limit").path, 1, &log)), "opening the C log")
        defer { limit_log_close(log) }
        return try checked(limit_log_append(log, Int64(events), 1_000, limitPayload, 16), "the C append loop")
    }

    /// One event, append to acknowledgement, beside a raw commit plus a raw round trip.
    static func latency(_ bench: Bench) async throws -> [Result] {
        let count = bench.events(4_000)
        let log = try await LogProcess.start(at: bench.fresh("log").path)
        let store = try log.connect()
        var session = try await store.openSession("latency")
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
        session = try await store.openSession("latency")
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

    /// What ten million events in the log do to the append rate, beside what they do to the C loop's.
    static func growth(_ bench: Bench) async throws -> [Result] {
        let full = bench.events(10_000_000)
        let probe = bench.events(200_000)
        let log = try await LogProcess.start(at: bench.fresh("log").path)
        var limitLog: UnsafeMutableRawPointer?
        _ = try checked(Double(limit_log_open(bench.fresh("limit").path, 1, &limitLog)), "opening the C log")
        defer { limit_log_close(limitLog) }
        var written = 0
        func ours(_ events: Int) async throws -> Double {
            let share = events / producers
            let batches = (0..<producers).map {
                preparedBatches(events: share, batch: batch, from: written + $0 * share)
            }
            written += events
            return Double(events) / (try await seconds { try await log.append(batches, named: "growth-\(written)") })
        }
        func limit(_ events: Int) throws -> Double {
            Double(events)
                / (try checked(limit_log_append(limitLog, Int64(events), 1_000, limitPayload, 16), "the C loop"))
        }
        let empty = try await bench.alternate {
            try limit(probe)
        } ours: {
            try await ours(probe)
        }
        while written < full {
            _ = try await ours(min(1_000_000, full - written))
            _ = try limit(min(1_000_000, full))
        }
        let grown = try await bench.alternate {
            try limit(probe)
        } ours: {
            try await ours(probe)
        }
        await log.stop()
        return [
            Result(
                figure: "append rate with \(written) events in the log ÷ with none",
                value: Samples(grown.ours.values.map { $0 / empty.ours.median }), unit: "ratio",
                limit: Samples(grown.limit.values.map { $0 / empty.limit.median }), bound: .ratioAtLeast(0.9))
        ]
    }
}
