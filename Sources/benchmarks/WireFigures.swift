import ArgumentParser
import CLimits
import EventLog
import Foundation
import Messaging
import Runtime
import Storage

enum WireFigures {
    static let subscribers = 3

    /// Appends at full rate while three programs follow live: until all three have the last event.
    static func fanOut(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(200_000)
        let share = events / AppendFigures.producers
        let batches = (0..<AppendFigures.producers).map {
            preparedBatches(events: share, batch: AppendFigures.batch, from: $0 * share)
        }
        let samples = try await bench.alternate {
            let log = try await LogProcess.start(at: bench.fresh("log").path)
            let taken = try await seconds { try await log.append(batches, named: "alone") }
            await log.stop()
            return Double(events) / taken
        } ours: {
            let log = try await LogProcess.start(at: bench.fresh("log").path)
            let followers = try (0..<subscribers).map { _ in
                try SelfChild(["subscriber-child", "--dir", log.directory.path, "--until", String(events)])
            }
            for follower in followers { try await follower.signal() }
            let taken = try await seconds {
                try await log.append(batches, named: "followed")
                for follower in followers { try await follower.signal() }
            }
            for follower in followers { await follower.finish() }
            await log.stop()
            return Double(events) / taken
        }
        return [
            Result(
                figure: "append with \(subscribers) live subscribers, until all have the last", value: samples.ours,
                unit: "events/s", limit: samples.limit, bound: .ratioAtLeast(0.4))
        ]
    }

    /// Committed batches from memory over the wire to one subscriber, decoded to envelopes.
    static func wireAlone(_ bench: Bench) async throws -> [Result] {
        let events = bench.events(1_000_000)
        let size: Int32 = 400
        let samples = try await bench.alternate {
            let endpoint = "ipc://" + bench.fresh("limit").path
            return Double(events) / (try checked(limit_publish(endpoint, Int64(events), size), "the raw PUB/SUB loop"))
        } ours: {
            try await ourWire(bench, events: events, size: Int(size))
        }
        return [
            Result(
                figure: "the wire alone, 400-byte events to one subscriber, decoded", value: samples.ours,
                unit: "events/s", limit: samples.limit, bound: .ratioAtLeast(0.25))
        ]
    }

    private static func ourWire(_ bench: Bench, events: Int, size: Int) async throws -> Double {
        let path = bench.fresh("wire").path
        let endpoints = LogEndpoints(requests: "ipc://\(path).r", events: "ipc://\(path).e")
        let committed = CommittedBatches(events: events, perCommit: 2_000, size: size)
        let server = LogServer(LogServerOptions(local: endpoints), reader: committed) { () throws(StoreError) in
            ReplayedStore(committed: committed)
        }
        let serving = Task { try await server.run() }
        defer { serving.cancel() }
        var options = RemoteLogOptions(endpoints: endpoints)
        options.bufferedBytes = events * (size + 200)
        let client = RemoteEventStore(options)
        _ = try await client.ping()
        let session = try await client.openSession("wire")
        var batches = LiveSubscription(options, reader: committed).subscribe(after: .start, types: nil)
            .makeAsyncIterator()
        // Publishing goes on beside the subscriber's decoding: an empty append makes the store hand over its next commit.
        let publishing = Task {
            for sequence in 1...UInt64(committed.commits.count) {
                _ = try await client.append(AppendRequest(session: session, sequence: sequence, []))
            }
        }
        let taken = try await seconds {
            var seen = 0
            while seen < events, let batch = try await batches.next() { seen += batch.events.count }
        }
        try await publishing.value
        client.close()
        return Double(events) / taken
    }
}
