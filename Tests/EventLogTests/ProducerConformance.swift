import EventLog
import TestSupport
import Testing

/// The laws about producers: repeats, sequences, epochs, checkpoints.
@Suite struct ProducerConformance {
    private func request(
        _ session: ProducerSession, _ sequence: UInt64, _ numbers: Range<Int>, expected: ExpectedVersion = .any
    ) -> AppendRequest {
        AppendRequest(
            session: session, sequence: sequence,
            [StreamAppend("sample-a", expected: expected, sampleEvents(numbers))])
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aRepeatIsAcknowledgedAgainWithItsOldPositions(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            let other = try await store.openSession("other")
            try await store.append(request(other, 1, 0..<3))
            // The expectation holds no more when it is repeated: the answer is the old one all the same.
            let sent = request(session, 7, 3..<5, expected: .exactly(StreamVersion(3)))
            let first = try await store.append(sent)
            try await store.append(request(other, 2, 5..<6))
            let second = try await store.append(sent)
            #expect(first == AppendReceipt(first: Position(4), count: 2, repeated: false))
            #expect(second == AppendReceipt(first: Position(4), count: 2, repeated: true))
            #expect(try await store.head() == Position(6))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aRepeatFromANewSessionIsAcknowledgedAgain(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let before = try await store.openSession("writer")
            try await store.append(request(before, 1, 0..<2))
            let after = try await store.openSession("writer")
            #expect(after.lastSequence == 1)
            #expect(try await store.append(request(after, 1, 0..<2)).repeated)
            #expect(try await store.head() == Position(2))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aSequenceWithOtherContentIsRefused(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            try await store.append(request(session, 5, 0..<2))
            let refused = StoreError.refused(.sequenceReused(producer: "writer", sequence: 5, last: 5))
            for other in [
                request(session, 5, 0..<3), request(session, 5, 1..<3), request(session, 5, 0..<2, expected: .noStream),
            ] {
                await #expect(throws: refused) { try await store.append(other) }
            }
            await #expect(throws: StoreError.refused(.sequenceReused(producer: "writer", sequence: 4, last: 5))) {
                try await store.append(request(session, 4, 0..<2))
            }
            #expect(try await store.append(request(session, 60, 2..<3)).first == Position(3))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func anOlderSessionIsFenced(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let old = try await store.openSession("writer")
            try await store.append(request(old, 1, 0..<1))
            let new = try await store.openSession("writer")
            #expect(new.epoch == old.epoch + 1)
            #expect(new.lastSequence == 1)
            await #expect(
                throws: StoreError.refused(.fenced(producer: "writer", epoch: old.epoch, current: new.epoch))
            ) {
                try await store.append(request(old, 2, 1..<2))
            }
            #expect(try await store.append(request(new, 2, 1..<2)).first == Position(2))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aProducerWithoutASessionIsFenced(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            for epoch: UInt64 in [0, 1] {
                await #expect(throws: StoreError.refused(.fenced(producer: "nobody", epoch: epoch, current: 0))) {
                    try await store.append(
                        AppendRequest(
                            producer: "nobody", epoch: epoch, sequence: 1, [StreamAppend("sample-a", [sampleEvent(1)])])
                    )
                }
            }
            let head = try await store.head()
            #expect(head == .start)
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func anAppendOfNoEventsMovesTheCheckpointAlone(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("reactor")
            try await store.append(request(session, 3, 0..<2))
            let receipt = try await store.append(AppendRequest(session: session, sequence: 900, []))
            #expect(receipt == AppendReceipt(first: Position(2), count: 0, repeated: false))
            #expect(receipt.last == Position(2))
            #expect(try await store.append(AppendRequest(session: session, sequence: 900, [])).repeated)
            #expect(try await store.head() == Position(2))
            #expect(try await store.session(of: "reactor")?.lastSequence == 900)
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func lookingAtASessionOpensNothing(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            #expect(try await store.session(of: "reactor") == nil)
            let session = try await store.openSession("reactor")
            #expect(session == ProducerSession(producer: "reactor", epoch: 1, lastSequence: 0))
            #expect(try await store.session(of: "reactor") == session)
            try await store.append(request(session, 12, 0..<1))
            #expect(
                try await store.session(of: "reactor")
                    == ProducerSession(producer: "reactor", epoch: 1, lastSequence: 12))
        }
    }
}
