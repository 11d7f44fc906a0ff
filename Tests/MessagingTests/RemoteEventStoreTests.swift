import EventLog
import Foundation
import TestSupport
import Testing

@testable import Messaging

@Suite struct RemoteEventStoreTests {
    @Test func anAppendIsAcknowledgedAndCanBeReadInEveryWay() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("ingest")
            let receipt = try await store.append(
                session.request(
                    1, StreamAppend("usage-a", [numbered(1), numbered(2)]), StreamAppend("bill-a", [numbered(3)])))
            #expect(receipt == AppendReceipt(first: Position(1), count: 3, repeated: false))
            #expect(try await store.head() == Position(3))
            let page = try await store.read(after: .start, limit: 10, types: nil)
            #expect(page.events.map(\.event) == [numbered(1), numbered(2), numbered(3)])
            #expect(page.events.map(\.stream) == ["usage-a", "usage-a", "bill-a"])
            #expect(
                try await store.read(stream: "usage-a", after: StreamVersion(1), limit: 9).map(\.position.value) == [2])
            #expect(
                try await store.streams(prefix: "usage-", after: nil, limit: 9)
                    == [StreamSummary(stream: "usage-a", version: StreamVersion(2))])
            #expect(try await store.session(of: "ingest")?.lastSequence == 1)
            #expect(try await store.session(of: "nobody") == nil)
        }
    }

    @Test func everyRefusalArrivesWithItsType() async throws {
        try await RunningLog.with(store: .fresh(knownTypes: ["usage.recorded"])) { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("ingest")
            await #expect(throws: StoreError.refused(.unknownType("no.such"))) {
                try await store.append(session.request(1, StreamAppend("s", [numbered(1, type: "no.such")])))
            }
            await #expect(
                throws: StoreError.refused(
                    .conflict(stream: "s", expected: .exactly(StreamVersion(3)), actual: .none))
            ) {
                try await store.append(
                    session.request(1, StreamAppend("s", expected: .exactly(StreamVersion(3)), [numbered(1)])))
            }
            _ = try await store.append(session.request(5, StreamAppend("s", [numbered(1)])))
            #expect(try await store.append(session.request(5, StreamAppend("s", [numbered(1)]))).repeated)
            await #expect(throws: StoreError.refused(.sequenceReused(producer: "ingest", sequence: 5, last: 5))) {
                try await store.append(session.request(5, StreamAppend("s", [numbered(2)])))
            }
            _ = try await store.openSession("ingest")
            await #expect(throws: StoreError.refused(.fenced(producer: "ingest", epoch: 1, current: 2))) {
                try await store.append(session.request(6, StreamAppend("s", [numbered(2)])))
            }
            await #expect(throws: StoreError.self) {
                try await store.openSession(ProducerName(String(repeating: "p", count: 70_000)))
            }
        }
    }

    @Test func manyCallersShareOneConnectionAndEachGetsItsOwnAnswer() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<20 {
                    group.addTask {
                        let session = try await store.openSession(ProducerName("p\(caller)"))
                        for sequence in 1...20 {
                            let event = numbered(caller * 100 + sequence)
                            let receipt = try await store.append(
                                session.request(UInt64(sequence), StreamAppend(StreamName("s-\(caller)"), [event])))
                            let found = try await store.read(
                                after: Position(receipt.first.value - 1), limit: 1, types: nil)
                            #expect(found.events.first?.event == event)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(log.store.head == Position(400))
        }
    }

    @Test func anAppendWaitsForTheLogAndIsWrittenOnceWhenItComesUp() async throws {
        let directory = try RunningLog.makeSocketDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
        let store = RemoteEventStore(RemoteLogOptions(endpoints: .inside(directory)))
        defer { store.close() }
        let memory = InMemoryGroupStore.fresh()
        let session = try memory.openSession("ingest")
        let early = Task { try await store.append(session.request(1, StreamAppend("s", [numbered(1)]))) }
        try await RunningLog.with(store: memory, directory: directory) { _ in
            let receipt = try await early.value
            #expect(receipt.first == Position(1))
        }
        // The log goes away and comes back: the connection mends itself, and nothing is written twice.
        for sequence in UInt64(2)...4 {
            try await RunningLog.with(store: memory, directory: directory) { _ in
                let receipt = try await store.append(session.request(sequence, StreamAppend("s", [numbered(2)])))
                #expect(receipt.first == Position(sequence))
            }
        }
        #expect(memory.head == Position(4))
    }

    @Test func aLogThatNeverAnswersIsUnreachableAfterTheDeadline() async throws {
        let directory = try RunningLog.makeSocketDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
        var options = RemoteLogOptions(endpoints: .inside(directory))
        options.deadlineMilliseconds = 200
        let store = RemoteEventStore(options)
        defer { store.close() }
        do {
            _ = try await store.head()
            Issue.record("nobody is there to answer")
        } catch {
            guard case .failed(let failure) = error else { throw error }
            #expect(failure.code == "log-unreachable")
            #expect(failure.isRetriable)
        }
    }

    @Test func aCancelledCallerGoesOnAtOnce() async throws {
        let directory = try RunningLog.makeSocketDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
        let store = RemoteEventStore(RemoteLogOptions(endpoints: .inside(directory)))
        defer { store.close() }
        let calls = (0..<50).map { _ in Task { () throws(StoreError) in try await store.head() } }
        for call in calls { call.cancel() }
        for call in calls {
            await #expect(throws: StoreError.failed(.cancelled)) { try await call.value }
        }
    }

    @Test func closingEndsEveryCallThatWaits() async throws {
        let directory = try RunningLog.makeSocketDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
        let store = RemoteEventStore(RemoteLogOptions(endpoints: .inside(directory)))
        let calls = (0..<50).map { _ in Task { () throws(StoreError) in try await store.head() } }
        store.close()
        for call in calls {
            await #expect(throws: StoreError.failed(.closed)) { try await call.value }
        }
        await #expect(throws: StoreError.failed(.closed)) { try await store.head() }
    }

    @Test func anEndpointThatIsNoneEndsCallsInsteadOfHangingThem() async throws {
        let endpoints = LogEndpoints(requests: "nonsense", events: "nonsense")
        let store = RemoteEventStore(RemoteLogOptions(endpoints: endpoints))
        await #expect(throws: StoreError.failed(.closed)) { try await store.head() }
    }
}
