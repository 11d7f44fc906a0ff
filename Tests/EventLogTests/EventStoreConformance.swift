import EventLog
import TestSupport
import Testing

/// The laws of `EventStore`, written once and run for each kind of store.
@Suite struct EventStoreConformance {
    // MARK: Order

    @Test(arguments: StoreUnderTest.allCases)
    func positionsAreGaplessFromOneAcrossStreamsAndProducers(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let first = try await store.openSession("first")
            let second = try await store.openSession("second")
            #expect(try await store.head() == .start)
            for round in 0..<5 {
                for session in [first, second] {
                    try await store.append(
                        AppendRequest(
                            session: session, sequence: UInt64(round + 1),
                            [
                                StreamAppend("sample-a", sampleEvents(round..<round + 2)),
                                StreamAppend("sample-b", [sampleEvent(round)]),
                            ]))
                }
            }
            let page = try await store.read(after: .start, limit: 100, types: nil)
            #expect(page.events.map(\.position.value) == Array(1...30))
            #expect(page.head == Position(30))
            #expect(page.scannedThrough == Position(30))
            #expect(try await store.head() == Position(30))
            let a = try await store.readAll(stream: "sample-a")
            #expect(a.map(\.version.value) == Array(1...20))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func manyStreamsAreReadAsOneByOne(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            try await store.append(
                AppendRequest(
                    session: session, sequence: 1,
                    (0..<40).map { StreamAppend(StreamName("sample-\($0)"), sampleEvents($0..<$0 + 1 + $0 % 5)) }))
            let streams = try await store.allStreams(prefix: "sample-")
            var expected: [RecordedEvent] = []
            for summary in streams { expected += try await store.readAll(stream: summary.stream) }
            #expect(expected.count == 120)
            #expect(try await store.readAll(streams: streams) == expected)
            let names: [StreamName] = ["sample-none", "sample-4", "sample-9"]
            let first = try await store.read(streams: names[1...], limit: 3)
            #expect(first.first?.map(\.version.value) == [1, 2, 3])
            #expect(try await store.read(streams: names[..<1], limit: 3) == [[]])
            #expect(try await store.readAll(streams: []).isEmpty)
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func anEventIsReadAsItWasAppended(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            var events = sampleEvents(0..<30)
            events[7].payload = []
            events[8].schema = 65_535
            events[9].occurred = Timestamp(microseconds: -1)
            events[10].actor = "사람-é-e\u{301}"
            events[11].payload = [UInt8](repeating: 0xFF, count: EventLimits.payloadBytes)
            let receipt = try await store.append(
                AppendRequest(session: session, sequence: 41, [StreamAppend("sample-팀-e\u{301}", events)]))
            #expect(receipt == AppendReceipt(first: Position(1), count: 30, repeated: false))
            #expect(receipt.last == Position(30))
            let read = try await store.read(after: .start, limit: 100, types: nil).events
            #expect(read.map(\.event) == events)
            #expect(read.allSatisfy { $0.producer == "writer" && $0.producerSequence == 41 })
            #expect(Array(read[10].event.actor.unicodeScalars) == Array(events[10].actor.unicodeScalars))
            #expect(try await store.readAll(stream: "sample-팀-e\u{301}") == read)
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func recordedTimeComesFromTheLogsClock(_ kind: StoreUnderTest) async throws {
        try await kind.withStore(clock: TickingClock(startingAt: 5_000)) { store in
            let session = try await store.openSession("writer")
            try await store.append(
                AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", sampleEvents(0..<2))]))
            let events = try await store.readAll(stream: "sample-a")
            #expect(events.allSatisfy { (5_000...5_010).contains($0.recorded.seconds) })
        }
    }

    // MARK: Expected versions

    @Test(arguments: StoreUnderTest.allCases)
    func appendingAtAWrongVersionIsRefused(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            var sequence: UInt64 = 0
            func append(_ stream: StreamName, _ expected: ExpectedVersion) async -> StoreError? {
                sequence += 1
                do throws(StoreError) {
                    try await store.append(
                        AppendRequest(
                            session: session, sequence: sequence,
                            [StreamAppend(stream, expected: expected, [sampleEvent(Int(sequence))])]))
                    return nil
                } catch { return error }
            }
            func conflict(_ stream: StreamName, _ expected: ExpectedVersion, _ actual: UInt64) -> StoreError {
                .refused(.conflict(stream: stream, expected: expected, actual: StreamVersion(actual)))
            }
            #expect(await append("sample-a", .streamExists) == conflict("sample-a", .streamExists, 0))
            #expect(
                await append("sample-a", .exactly(StreamVersion(1)))
                    == conflict("sample-a", .exactly(StreamVersion(1)), 0))
            #expect(await append("sample-a", .noStream) == nil)
            #expect(await append("sample-a", .noStream) == conflict("sample-a", .noStream, 1))
            #expect(await append("sample-a", .exactly(.none)) == conflict("sample-a", .exactly(.none), 1))
            #expect(await append("sample-a", .exactly(StreamVersion(1))) == nil)
            #expect(await append("sample-a", .streamExists) == nil)
            #expect(await append("sample-a", .any) == nil)
            #expect(await append("sample-b", .exactly(.none)) == nil)
            #expect(await append("sample-c", .any) == nil)
            #expect(try await store.head() == Position(6))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aRequestIsWrittenWhollyOrNotAtAll(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            await #expect(throws: StoreError.self) {
                try await store.append(
                    AppendRequest(
                        session: session, sequence: 1,
                        [
                            StreamAppend("sample-a", sampleEvents(0..<3)),
                            StreamAppend("sample-b", expected: .streamExists, sampleEvents(3..<5)),
                        ]))
            }
            #expect(try await store.head() == .start)
            #expect(try await store.allStreams(prefix: "").isEmpty)
            #expect(try await store.session(of: "writer")?.lastSequence == 0)
            // The refused sequence may be used again.
            let receipt = try await store.append(
                AppendRequest(session: session, sequence: 1, [StreamAppend("sample-b", [sampleEvent(9)])]))
            #expect(receipt.first == Position(1))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aStreamNamedTwiceInARequestCountsWhatTheRequestAdds(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            try await store.append(
                AppendRequest(
                    session: session, sequence: 1,
                    [
                        StreamAppend("sample-a", expected: .noStream, sampleEvents(0..<2)),
                        StreamAppend("sample-b", sampleEvents(2..<3)),
                        StreamAppend("sample-a", expected: .exactly(StreamVersion(2)), sampleEvents(3..<4)),
                    ]))
            let events = try await store.readAll(stream: "sample-a")
            #expect(events.map(\.version.value) == [1, 2, 3])
            #expect(events.map(\.position.value) == [1, 2, 4])
        }
    }
}
