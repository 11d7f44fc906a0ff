import ArgumentParser
import CLimits
import EventLog
import Foundation
import Spool

enum SpoolFigures {
    /// Of a recorded call with its context, in the spool's form.
    static let recordBytes = 600

    /// Records a second that one thread gets into a spool, beside write(2) with the same syncs; and what one of them keeps
    /// an event loop from its other work.
    static func append(_ bench: Bench) async throws -> [Result] {
        let records = bench.events(400_000)
        let settings = SpoolSettings()
        let samples = try await bench.alternate {
            let path = bench.fresh("limit").path
            defer { bench.remove(path) }
            let taken = limit_group_writes(
                path, Int64(records), Int32(recordBytes), UInt32(settings.syncDelay / .microseconds(1)))
            return Double(records) / (try checked(taken, "the C writes"))
        } ours: {
            let path = bench.fresh("spool").path
            defer { bench.remove(path) }
            let spool = try Spool(path, settings)
            let taken = try await seconds { for number in 0..<records { try spool.append(call(number), to: stream) } }
            await spool.close()
            return Double(records) / taken
        }
        let each = try await paced(bench, settings)
        let durable = try await untilDurable(bench, settings)
        return [
            Result(
                figure: "records of \(recordBytes) bytes appended to the spool by one thread", value: samples.ours,
                unit: "records/s", limit: samples.limit, bound: .ratioAtLeast(0.5)),
            Result(
                figure: "one append to the spool, p50", value: Samples([each.percentile(0.5)]), unit: "µs", limit: nil,
                bound: .atMost(5),
                note:
                    "at 20,000 a second; p99 \(Int(each.percentile(0.99))) µs, p99.9 \(Int(each.percentile(0.999))) µs"),
            Result(
                figure: "from an append to the spool until it is on disk, the longest", value: Samples([durable.max]),
                unit: "ms", limit: nil, bound: .atMost(20),
                note: String(
                    format: "at 20,000 a second; p50 %.1f ms, p99 %.1f ms", durable.median, durable.percentile(0.99))),
        ]
    }

    /// Microseconds of each append at the pace of a busy gateway.
    private static func paced(_ bench: Bench, _ settings: SpoolSettings) async throws -> Samples {
        let path = bench.fresh("spool").path
        defer { bench.remove(path) }
        let spool = try Spool(path, settings)
        var each: [Double] = []
        let start = ContinuousClock.now
        for number in 0..<bench.events(100_000) {
            let event = call(number)
            while ContinuousClock.now - start < .microseconds(50 * number) {}
            each.append(try await seconds { try spool.append(event, to: stream) } * 1e6)
        }
        await spool.close()
        return Samples(each)
    }

    /// Milliseconds from each append's return until the spool says that the record is on disk, at the pace of a busy gateway.
    /// Whoever appends looks between two appends, so that the figure is at most one pace too large.
    private static func untilDurable(_ bench: Bench, _ settings: SpoolSettings) async throws -> Samples {
        let path = bench.fresh("spool").path
        defer { bench.remove(path) }
        let spool = try Spool(path, settings)
        let count = bench.events(100_000)
        var appended: [ContinuousClock.Instant] = []
        var each: [Double] = []
        let start = ContinuousClock.now
        var turn = 0
        while each.count < count {
            while ContinuousClock.now - start < .microseconds(50 * turn) {}
            turn += 1
            if appended.count < count {
                try spool.append(call(appended.count), to: stream)
                appended.append(.now)
            }
            let (status, now) = (spool.status, ContinuousClock.now)
            if let failure = status.failure { throw failure }
            for at in appended[each.count..<Int(status.durable)] { each.append((now - at) / .milliseconds(1)) }
        }
        await spool.close()
        return Samples(each)
    }

    private static let stream: StreamName = "calls-acme-2026-11-22"
    private static let payload = [UInt8](repeating: 0x41, count: recordBytes - 180)

    static func call(_ number: Int) -> NewEvent {
        NewEvent(
            id: EventID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0000 | UInt64(number)),
            type: "call.recorded", occurred: Timestamp(microseconds: 1_795_000_000_000_000 + Int64(number)),
            payload: payload)
    }
}

/// Appends to a spool as fast as it can and says each number that it was given, until it is killed.
struct SpoolChild: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "spool-child", shouldDisplay: false)

    @Argument var directory: String

    func run() throws {
        let spool = try Spool(directory, SpoolSettings(segmentBytes: 256 << 10))
        while true {
            let next = spool.status.written + 1
            let number = try spool.append(SpoolFigures.call(Int(next)), to: "calls-acme-2026-11-22")
            let line = Array("\(number)\n".utf8)
            guard write(1, line, line.count) == line.count else { throw ExitCode.failure }
        }
    }
}
