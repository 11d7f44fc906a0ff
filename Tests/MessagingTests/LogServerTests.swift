import EventLog
import Foundation
import Synchronization
import TestSupport
import Testing
import ZeroMQ

@testable import Messaging

@Suite struct LogServerTests {
    @Test func whatIsNoFrameIsRefusedCountedAndNothingStops() async throws {
        try await RunningLog.with { log in
            let answers = try await log.exchange([
                [], [1, 2, 3], Array("GET / HTTP/1.1".utf8), [0x46, 0x4C, 7, 1] + [UInt8](repeating: 9, count: 8),
                [UInt8](frame: .receipt, correlation: 5), LogRequest.hello.encoded() + [0],
            ])
            for answer in answers {
                guard case .refused(.malformed("frame", _)) = answer else {
                    Issue.record("\(answer)")
                    continue
                }
            }
            #expect(log.server.incidents["malformed-frame"] == 6)
            let replies = try await log.exchange([LogRequest.hello.encoded()])
            #expect(replies == [.head(.start)])
        }
    }

    @Test func anOversizedFrameIsRefusedWithItsSize() async throws {
        try await RunningLog.with { log in
            var frame = LogRequest.hello.encoded()
            frame += [UInt8](repeating: 0, count: WireLimits.frameBytes)
            let replies = try await log.exchange([frame])
            #expect(
                replies == [
                    .refused(.tooLarge(what: "bytes of a frame", size: frame.count, limit: WireLimits.frameBytes))
                ])
            #expect(log.server.incidents["oversized-frame"] == 1)
        }
    }

    @Test func aPeerThatExceedsTheSocketsBoundIsCutOffAndOthersGoOn() async throws {
        try await RunningLog.with { log in
            let frame = [UInt8](repeating: 0, count: Int(SocketLimits().messageBytes) + 1)
            await #expect(throws: NotInTime.self) { try await log.exchange([frame], milliseconds: 500) }
            let replies = try await log.exchange([LogRequest.hello.encoded()])
            #expect(replies == [.head(.start)])
        }
    }

    @Test(arguments: 0..<5) func aSeededStormOfDamagedFramesLeavesTheLogServing(_ seed: UInt64) async throws {
        try await RunningLog.with { log in
            var random = SeededGenerator(seed: seed)
            let frames = (0..<200).map { _ in
                FrameTests.requests.randomElement(using: &random)!.encoded().damaged(using: &random)
            }
            _ = try await log.exchange(frames)
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("after-the-storm")
            let receipt = try await store.append(session.request(1, StreamAppend("calm", [numbered(1)])))
            #expect(receipt.count == 1, "seed \(seed)")
        }
    }

    @Test func whatWaitsDuringACommitGoesIntoTheNextOneTogether() async throws {
        let store = GatedStore()
        try await withServer(of: store) { endpoints in
            let remote = RemoteEventStore(RemoteLogOptions(endpoints: endpoints))
            defer { remote.close() }
            async let first = remote.append(GatedStore.request(1))
            try await eventually { store.groups == [1] }
            await withThrowingTaskGroup(of: Void.self) { group in
                for sequence in UInt64(2)...20 {
                    group.addTask { _ = try await remote.append(GatedStore.request(sequence)) }
                }
                // All of them are under way before the first commit ends.
                try? await eventually { remote.requestsInFlight == 20 }  // the expectation below tells if not
                store.open()
            }
            _ = try await first
            #expect(store.groups.first == 1)
            #expect(store.groups.reduce(0, +) == 20)
            #expect(store.groups.count < 20)
        }
    }

    @Test func aFullQueueSaysBusyAndWhenToComeAgain() async throws {
        let store = GatedStore()
        try await withServer(of: store, configure: { $0.queuedRequests = 2 }) { endpoints in
            let remote = RemoteEventStore(RemoteLogOptions(endpoints: endpoints))
            defer { remote.close() }
            async let first = remote.append(GatedStore.request(1))
            try await eventually { store.groups == [1] }
            let results = await withTaskGroup(of: Bool.self) { group in
                for sequence in UInt64(2)...40 {
                    group.addTask {
                        do throws(StoreError) {
                            _ = try await remote.append(GatedStore.request(sequence))
                            return false
                        } catch {
                            return error == .refused(.busy(retryAfterMilliseconds: 50))
                        }
                    }
                }
                try? await eventually { remote.requestsInFlight == 40 }  // the expectation below tells if not
                store.open()
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            _ = try await first
            #expect(results > 0)
            #expect(results < 39)
        }
    }

    @Test func aReaderThatHangsDoesNotStallAppends() async throws {
        let gate = AsyncStream.makeStream(of: Void.self)
        let memory = InMemoryGroupStore.fresh()
        let reader = HangingReader(until: gate.stream)
        try await RunningLog.with(store: memory, reader: reader) { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            async let page = store.read(after: .start, limit: 1, types: nil)
            let session = try await store.openSession("p")
            for sequence in UInt64(1)...20 {
                _ = try await store.append(session.request(sequence, StreamAppend("s", [numbered(1)])))
            }
            gate.continuation.finish()
            #expect(try await page.head == Position(99))
        }
    }

    @Test func aStoreThatFailedForGoodEndsTheServerAndAcknowledgesNothing() async throws {
        let failure = StoreFailure(code: "fsync-failed", message: "the disk lost a write", isRetriable: false)
        let store = GatedStore(failure: failure)
        store.open()
        do {
            try await withServer(of: store) { endpoints in
                let remote = RemoteEventStore(RemoteLogOptions(endpoints: endpoints))
                let append = Task { () throws(StoreError) in try await remote.append(GatedStore.request(1)) }
                try await eventually { store.groups == [1] }
                remote.close()
                await #expect(throws: StoreError.failed(.closed)) { try await append.value }
            }
            Issue.record("the server outlived its store")
        } catch let error as StoreError {
            #expect(error == .failed(failure))
        }
    }

    @Test func anEndpointThatCannotBeBoundIsAnError() async throws {
        let options = LogServerOptions(
            local: LogEndpoints(requests: "ipc:///no/such/folder/r", events: "ipc:///no/such/folder/e"))
        let store = InMemoryGroupStore.fresh()
        let server = LogServer(options, reader: store) { () throws(StoreError) in store }
        do {
            try await server.run()
            Issue.record("it cannot serve there")
        } catch {
            guard case .failed(let failure) = error else { throw error }
            #expect(failure.code == "endpoint-unavailable")
        }
    }

    @Test func whatWasAcceptedBeforeTheStopIsAnswered() async throws {
        try await RunningLog.with { log in
            let store = RemoteEventStore(log.options)
            defer { store.close() }
            let session = try await store.openSession("p")
            async let receipt = store.append(session.request(1, StreamAppend("s", [numbered(1)])))
            try await eventually { log.store.head == Position(1) }
            log.server.stop()
            #expect(try await receipt.count == 1)
        }
    }
}

/// A store whose commits wait until the gate is opened, and whose groups are counted.
private final class GatedStore: GroupStore, Sendable {
    private let state = Mutex<(groups: [Int], isOpen: Bool, written: UInt64)>(([], false, 0))
    private let failure: StoreFailure?

    var fatalFailure: StoreFailure? { groups.isEmpty ? nil : failure }

    init(failure: StoreFailure? = nil) { self.failure = failure }

    var groups: [Int] { state.withLock { $0.groups } }
    var head: Position { state.withLock { Position($0.written) } }

    func open() { state.withLock { $0.isOpen = true } }

    func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession {
        ProducerSession(producer: producer, epoch: 1, lastSequence: 0)
    }

    func append(group: [AppendRequest]) -> GroupOutcome {
        state.withLock { $0.groups.append(group.count) }
        while !state.withLock({ $0.isOpen }) { usleep(1_000) }  // a slow disk
        let results = group.map { _ -> Result<AppendReceipt, StoreError> in
            if let failure { return .failure(.failed(failure)) }
            return .success(AppendReceipt(first: Position(1), count: 1, repeated: false))
        }
        state.withLock { $0.written += UInt64(group.count) }
        return GroupOutcome(results: results, committed: [], committedCount: 0, first: .start)
    }

    static func request(_ sequence: UInt64) -> AppendRequest {
        AppendRequest(producer: "p", epoch: 1, sequence: sequence, [StreamAppend("s", [numbered(1)])])
    }
}

private func withServer(
    of store: GatedStore, configure: (inout LogServerOptions) -> Void = { _ in },
    _ body: @escaping @Sendable (LogEndpoints) async throws -> Void
) async throws {
    let directory = try RunningLog.makeSocketDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in /tmp harms nobody
    var options = LogServerOptions(local: .inside(directory))
    configure(&options)
    let server = LogServer(options, reader: InMemoryGroupStore.fresh()) { () throws(StoreError) in store }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        let result = await Result.of { try await body(options.local) }
        server.stop()
        try await group.waitForAll()
        try result.get()
    }
}

/// A reader that answers when it is let go.
private struct HangingReader: EventReader {
    let gate: AsyncStream<Void>

    init(until gate: AsyncStream<Void>) { self.gate = gate }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        for await _ in gate {}
        return ReadPage(events: [], scannedThrough: position, head: Position(99))
    }

    func head() async throws(StoreError) -> Position { .start }
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError)
        -> [RecordedEvent]
    { [] }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] { [] }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? { nil }
}

extension RunningLog {
    /// Sends raw frames and collects a reply for each, in the order they come.
    func exchange(_ frames: [[UInt8]], milliseconds: Int64 = 30_000) async throws -> [LogReply] {
        try await MessagingTests.exchange(frames, with: endpoints.requests, milliseconds: milliseconds)
    }
}

/// Sends raw frames to a log and collects a reply for each, in the order they come.
func exchange(_ frames: [[UInt8]], with endpoint: String, milliseconds: Int64 = 30_000) async throws -> [LogReply] {
    let result = await DedicatedThread.run { () -> Result<[[UInt8]], any Error> in
        Result {
            let socket = try Socket(Context(), .dealer)
            try socket.connect(endpoint)
            var poller = Poller()
            let item = poller.add(socket)
            var unsent = frames[...]
            var replies: [[UInt8]] = []
            let deadline = monotonicMilliseconds() + milliseconds
            while replies.count < frames.count {
                guard monotonicMilliseconds() < deadline else { throw NotInTime() }
                poller.setWantsToSend(!unsent.isEmpty, item)
                try poller.wait(milliseconds: 50)
                while let frame = unsent.first, try socket.send(frame) == .sent { unsent.removeFirst() }
                var message = Message()
                while try socket.receive(&message) { replies.append(message.bytes) }
            }
            return replies
        }
    }
    return try result.get().map { try $0.decoded { bytes throws(MalformedFrame) in try LogReply(bytes) } }
}
