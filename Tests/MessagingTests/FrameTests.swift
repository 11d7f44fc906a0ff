import EventLog
import TestSupport
import Testing

@testable import Messaging

@Suite struct FrameTests {
    static let requests: [LogRequest] = [
        .hello, .openSession("ingest-openai"), .append(sample),
        .append(AppendRequest(producer: "attributor", epoch: 3, sequence: 9, [])),
        .read(.sessionOf("attributor")), .read(.events(after: Position(7), limit: 100, types: nil)),
        .read(.events(after: .start, limit: 1, types: [])),
        .read(.events(after: .start, limit: 10_000, types: ["usage.recorded", "bill.recorded"])),
        .read(.stream("usage-acme-2026-11-20", after: StreamVersion(3), limit: 5)),
        .read(.streams(prefix: "usage-", after: nil, limit: 5)),
        .read(.streams(prefix: "", after: "usage-한국", limit: 5)),
    ]

    static let sample = AppendRequest(
        producer: "ingest-openai", epoch: 2, sequence: 41,
        [
            StreamAppend("usage-acme-2026-11-20", expected: .exactly(StreamVersion(4)), [numbered(1), numbered(2)]),
            StreamAppend("run-acme-2026-11-20", expected: .noStream, [numbered(3, type: "run.started")]),
            StreamAppend("a", expected: .streamExists, []), StreamAppend("b", expected: .any, [numbered(4)]),
        ])

    static let refusals: [AppendRefusal] = [
        .conflict(stream: "s", expected: .exactly(StreamVersion(2)), actual: StreamVersion(3)),
        .malformed(field: "id", reason: "is nil"), .unknownType("no.such"),
        .tooLarge(what: "bytes", size: 12, limit: 10), .notAllowed(reason: "not yours"),
        .busy(retryAfterMilliseconds: 50), .readOnly(reason: "disk full"),
        .fenced(producer: "p", epoch: 1, current: 2), .sequenceReused(producer: "p", sequence: 3, last: 4),
    ]

    static var replies: [LogReply] {
        let event = RecordedEvent(
            position: Position(9), stream: "s", version: StreamVersion(2), recorded: Timestamp(seconds: 5),
            producer: "p", producerSequence: 8, event: numbered(1))
        return [
            .head(Position(4)), .session(nil),
            .session(ProducerSession(producer: "p", epoch: 2, lastSequence: 7)),
            .receipt(AppendReceipt(first: Position(3), count: 2, repeated: true)),
            .page(ReadPage(events: [event], scannedThrough: Position(12), head: Position(20))),
            .page(ReadPage(events: [], scannedThrough: Position(12), head: Position(20))), .events([event, event]),
            .summaries([StreamSummary(stream: "s", version: StreamVersion(2))]),
            .failed(StoreFailure(code: "sqlite-11", message: "corrupt", isRetriable: false)),
        ] + refusals.map { .refused($0) }
    }

    @Test(arguments: requests) func aRequestSurvivesTheWire(_ request: LogRequest) throws {
        var decoder = EventDecoder()
        let decoded = try request.encoded().withUnsafeBytes { try LogRequest($0, decoder: &decoder) }
        #expect(decoded == request)
    }

    @Test(arguments: replies) func aReplySurvivesTheWireWithItsCorrelation(_ reply: LogReply) throws {
        let bytes = reply.encoded(correlation: 0x1122_3344_5566_7788)
        #expect(try bytes.withUnsafeBytes { try LogReply($0) } == reply)
        #expect(bytes.withUnsafeBytes { FrameReader.correlation(of: $0) } == 0x1122_3344_5566_7788)
    }

    @Test func aPageThatWouldBeTooLargeEndsEarlierAndSaysWhere() throws {
        let events = (1...6).map { number in
            RecordedEvent(
                position: Position(UInt64(number)), stream: "s", version: StreamVersion(UInt64(number)),
                recorded: Timestamp(seconds: 5), producer: "p", producerSequence: 1,
                event: numbered(number, bytes: 1 << 20))
        }
        let page = ReadPage(events: events, scannedThrough: Position(50), head: Position(60))
        let bytes = LogReply.page(page).encoded(correlation: 1)
        guard case .page(let cut) = try bytes.withUnsafeBytes({ try LogReply($0) }) else { throw NotInTime() }
        #expect(cut.events == Array(events.prefix(4)))
        #expect(cut.scannedThrough == Position(4))
        #expect(cut.head == Position(60))
    }

    @Test func anUnknownVersionIsNamed() {
        var bytes = LogRequest.hello.encoded()
        bytes[2] = 9
        var decoder = EventDecoder()
        #expect(throws: MalformedFrame(reason: "frame version 9, this program speaks 1", at: 2)) {
            try bytes.withUnsafeBytes { try LogRequest($0, decoder: &decoder) }
        }
    }

    /// Cuts, flips and inserts bytes: the decoder may accept or refuse, but never trap.
    @Test(arguments: 0..<40) func damagedFramesNeverTrap(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var decoder = EventDecoder()
        let frames = Self.requests.map { $0.encoded() } + Self.replies.map { $0.encoded(correlation: 1) }
        for frame in frames {
            for _ in 0..<40 {
                let damaged = frame.damaged(using: &random)
                damaged.withUnsafeBytes { bytes in
                    _ = try? LogRequest(bytes, decoder: &decoder)  // only the absence of a trap matters
                    _ = try? LogReply(bytes)
                    _ = try? Publication(bytes)
                }
            }
        }
    }

    @Test func aLargeCommitIsPublishedInPiecesThatJoin() throws {
        let store = InMemoryGroupStore.fresh()
        let session = try store.openSession("p")
        let events = (0..<5_000).map { numbered($0, bytes: 300) }
        let outcome = store.append(group: [session.request(1, StreamAppend("s", events))])
        let frames = CommitFrames(outcome.committed, first: outcome.first).map(\.self)
        #expect(frames.count > 3)
        #expect(frames.allSatisfy { $0.count < WireLimits.publicationBytes + 1_024 })
        var decoder = EventDecoder()
        var decoded: [RecordedEvent] = []
        for frame in frames {
            guard case .commit(let commit) = try frame.withUnsafeBytes({ try Publication($0) }) else { continue }
            try commit.forEachEvent(&decoder) { decoded.append($0) }
        }
        #expect(decoded.map(\.position.value) == Array(1...5_000))
        #expect(decoded.map(\.event) == events)
    }
}

extension [UInt8] {
    func damaged(using random: inout SeededGenerator) -> [UInt8] {
        var bytes = self
        for _ in 0...Int.random(in: 0...3, using: &random) {
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            case 1: bytes.insert(.random(in: 0...255, using: &random), at: .random(in: 0...bytes.count, using: &random))
            default:
                guard let index = bytes.indices.randomElement(using: &random) else { continue }
                bytes[index] = .random(in: 0...255, using: &random)
            }
        }
        return bytes
    }
}
