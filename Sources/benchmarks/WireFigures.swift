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

    /// How many commits may be on the wire: far within its high-water marks, so that nothing is lost. A publisher that runs
    /// ahead would be measured dropping.
    private static let commitsAhead = 16
    private static let commitEvents = 2_000
    /// At most so many events to find out whether the subscriber hears the wire.
    private static let smallCommits = 500

    private static func ourWire(_ bench: Bench, events: Int, size: Int) async throws -> Double {
        let path = bench.fresh("wire").path
        let endpoints = LogEndpoints(requests: "ipc://\(path).r", events: "ipc://\(path).e")
        let committed = CommittedBatches(
            small: smallCommits, large: events / commitEvents, perCommit: commitEvents, size: size)
        let server = LogServer(LogServerOptions(local: endpoints), reader: committed) { () throws(StoreError) in
            ReplayedStore(committed: committed)
        }
        let serving = Task { try await server.run() }
        defer { serving.cancel() }
        var options = RemoteLogOptions(endpoints: endpoints)
        options.bufferedBytes = commitsAhead * commitEvents * (size + 200)
        let client = RemoteEventStore(options)
        defer { client.close() }
        let session = try await client.openSession("wire")
        var batches = LiveSubscription(options, reader: committed).subscribe(after: .start, types: nil)
            .makeAsyncIterator()
        var sequence: UInt64 = 0
        var seen = 0
        // One event after another, until one comes by the wire instead of by a read: then the subscriber hears.
        while sequence == 0 || committed.eventsRead >= seen {
            sequence += 1
            _ = try await client.append(AppendRequest(session: session, sequence: sequence, []))
            while seen < Int(sequence), let batch = try await batches.next() { seen += batch.events.count }
            try await Task.sleep(for: .milliseconds(5))
        }
        let readBefore = committed.eventsRead
        // What is left of the small commits goes before the clock starts.
        while committed.written.count < smallCommits {
            sequence += 1
            _ = try await client.append(AppendRequest(session: session, sequence: sequence, []))
        }
        while seen < smallCommits, let batch = try await batches.next() { seen += batch.events.count }
        let (room, consumed) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<commitsAhead { consumed.yield() }
        let (first, last) = (sequence + 1, UInt64(committed.commits.count))
        let publishing = Task {
            // Beside the subscriber's decoding: an empty append makes the store hand over its next commit.
            var room = room.makeAsyncIterator()
            for sequence in first...last {
                await room.next()
                _ = try await client.append(AppendRequest(session: session, sequence: sequence, []))
            }
        }
        let taken = try await seconds {
            var freed = 0
            while seen < smallCommits + events, let batch = try await batches.next() {
                seen += batch.events.count
                while freed < (seen - smallCommits) / commitEvents {
                    consumed.yield()
                    freed += 1
                }
            }
        }
        consumed.finish()
        try await publishing.value
        guard committed.eventsRead == readBefore, seen == smallCommits + events else {
            throw UnexpectedOutput(text: "the wire lost \(committed.eventsRead - readBefore) of \(events) events")
        }
        return Double(events) / taken
    }
}
