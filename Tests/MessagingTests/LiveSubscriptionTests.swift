import EventLog
import Foundation
import TestSupport
import Testing

@testable import Messaging

@Suite struct LiveSubscriptionTests {
    @Test func aSubscriberGetsThePastAndThenWhatHappens() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("p")
            _ = try await store.append(session.request(1, StreamAppend("s", (1...10).map { numbered($0) })))
            let subscription = LiveSubscription(log.options, reader: store)
            var seen: [UInt64] = []
            var sequence: UInt64 = 1
            for try await batch in subscription.subscribe(after: Position(4), types: nil) {
                seen += batch.events.map(\.position.value)
                #expect(batch.scannedThrough.value == seen.last)
                if seen.last == 30 { break }
                if batch.scannedThrough == batch.head {
                    sequence += 1
                    _ = try await store.append(
                        session.request(sequence, StreamAppend("s", (0..<5).map { numbered($0) })))
                }
            }
            #expect(seen == Array(5...30))
        }
    }

    @Test func aFilteredSubscriberSeesItsTypesAndHowFarTheLogIs() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("p")
            let writer = Task {
                for sequence in UInt64(1)...50 {
                    let type: EventType = sequence.isMultiple(of: 7) ? "bill.recorded" : "usage.recorded"
                    _ = try await store.append(
                        session.request(sequence, StreamAppend("s", [numbered(Int(sequence), type: type)])))
                }
            }
            var seen: [UInt64] = []
            let batches = LiveSubscription(log.options, reader: store).subscribe(
                after: .start, types: ["bill.recorded"])
            for try await batch in batches {
                seen += batch.events.map(\.position.value)
                if batch.scannedThrough == Position(50) { break }
            }
            try await writer.value
            #expect(seen == [7, 14, 21, 28, 35, 42, 49])
        }
    }

    @Test func aSlowConsumerNeitherStallsTheLogNorMissesAnything() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            var options = log.options
            options.bufferedBytes = 20_000
            options.batchEvents = 200
            let incidents = Incidents()
            let slow = LiveSubscription(options, reader: store, onIncident: incidents.record)
            var batches = slow.subscribe(after: .start, types: nil).makeAsyncIterator()
            #expect(try await batches.next()?.head == .start)
            let session = try await store.openSession("p")
            for sequence in UInt64(1)...100 {
                _ = try await store.append(
                    session.request(sequence, StreamAppend("s", (0..<50).map { numbered($0, bytes: 300) })))
            }
            try await eventually { incidents.names.contains("publications-skipped") }
            var seen: [UInt64] = []
            while seen.last != 5_000, let batch = try await batches.next() {
                seen += batch.events.map(\.position.value)
                #expect(batch.events.count <= 400)
            }
            #expect(seen == Array(1...5_000))
        }
    }

    @Test func aRestartedLogIsFollowedOnWithoutAGap() async throws {
        let directory = try RunningLog.makeSocketDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
        let memory = InMemoryGroupStore.fresh()
        let subscription = LiveSubscription(RemoteLogOptions(endpoints: .inside(directory)), reader: memory)
        let reading = Task {
            var seen: [UInt64] = []
            for try await batch in subscription.subscribe(after: .start, types: nil) {
                seen += batch.events.map(\.position.value)
                if seen.count >= 30 { break }
            }
            return seen
        }
        for _ in 0..<3 {
            try await RunningLog.with(store: memory, directory: directory) { log in
                let store = RemoteEventStore(log.options)
                defer { store.close() }
                let session = try await store.openSession("p")
                let next = session.lastSequence + 1
                _ = try await store.append(session.request(next, StreamAppend("s", (0..<10).map { numbered($0) })))
                if memory.head == Position(30) { _ = try await reading.value }
            }
        }
        #expect(try await reading.value == Array(1...30))
    }

    @Test func aLogThatEndsBeforeTheCheckpointIsAnErrorNotASilence() async throws {
        try await RunningLog.with { log in
            let batches = LiveSubscription(log.options, reader: log.store).subscribe(after: Position(9), types: nil)
            await #expect(throws: StoreError.self) { for try await _ in batches {} }
        }
    }

    @Test func aCancelledSubscriberEnds() async throws {
        try await RunningLog.with { log in
            let batches = LiveSubscription(log.options, reader: log.store).subscribe(after: .start, types: nil)
            let reading = Task { for try await _ in batches {} }
            reading.cancel()
            try await reading.value
        }
    }
}
