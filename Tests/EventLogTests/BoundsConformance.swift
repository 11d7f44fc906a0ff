import EventLog
import TestSupport
import Testing

/// The laws about what is refused for its form, and about bounded reads.
@Suite struct BoundsConformance {
    /// The refusal of an append of one changed event, nil if it was accepted.
    private func refusal(
        _ kind: StoreUnderTest, stream: StreamName = "sample-a", producer: ProducerName = "writer",
        sequence: UInt64 = 1,
        knownTypes: Set<EventType>? = nil, _ change: (inout NewEvent) -> Void = { _ in }
    ) async throws -> AppendRefusal? {
        var event = sampleEvent(1)
        change(&event)
        return try await kind.withStore(knownTypes: knownTypes) { store in
            do {
                let session = try await store.openSession(producer)
                try await store.append(
                    AppendRequest(session: session, sequence: sequence, [StreamAppend(stream, [event])]))
                return nil
            } catch StoreError.refused(let refusal) {
                let head = try await store.head()
                #expect(head == .start)
                return refusal
            }
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func whatIsMalformedIsRefused(_ kind: StoreUnderTest) async throws {
        let long = String(repeating: "a", count: EventLimits.nameBytes + 1)
        func isMalformed(_ refusal: AppendRefusal?, _ expected: String) -> Bool {
            if case .malformed(let field, _) = refusal { field == expected } else { false }
        }
        func isTooLarge(_ refusal: AppendRefusal?) -> Bool { if case .tooLarge = refusal { true } else { false } }
        #expect(isMalformed(try await refusal(kind, stream: ""), "stream"))
        #expect(isMalformed(try await refusal(kind, stream: "sample\n-a"), "stream"))
        #expect(isTooLarge(try await refusal(kind, stream: StreamName(long))))
        #expect(isMalformed(try await refusal(kind, producer: ""), "producer"))
        #expect(isMalformed(try await refusal(kind, sequence: 0), "sequence"))
        #expect(isMalformed(try await refusal(kind) { $0.type = "" }, "type"))
        #expect(isMalformed(try await refusal(kind) { $0.schema = 0 }, "schema"))
        #expect(isMalformed(try await refusal(kind) { $0.id = .none }, "id"))
        #expect(isTooLarge(try await refusal(kind) { $0.actor = long }))
        #expect(
            isTooLarge(
                try await refusal(kind) { $0.payload = [UInt8](repeating: 0, count: EventLimits.payloadBytes + 1) }))
        #expect(try await refusal(kind) == nil)
    }

    @Test(arguments: StoreUnderTest.allCases)
    func anUnknownTypeIsRefused(_ kind: StoreUnderTest) async throws {
        let known: Set<EventType> = ["sample.happened"]
        #expect(try await refusal(kind, knownTypes: known) == nil)
        #expect(
            try await refusal(kind, knownTypes: known) { $0.type = "sample.unheard" } == .unknownType("sample.unheard"))
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aRequestBeyondTheLimitsIsRefused(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            let many = sampleEvents(0..<EventLimits.requestEvents + 1, payloadBytes: 0)
            await #expect(throws: StoreError.self) {
                try await store.append(AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", many)]))
            }
            let large = (0..<9).map { number in
                var event = sampleEvent(number)
                event.payload = [UInt8](repeating: 1, count: EventLimits.payloadBytes)
                return event
            }
            await #expect(throws: StoreError.self) {
                try await store.append(AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", large)]))
            }
            #expect(try await store.head() == .start)
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func readsAreBoundedAndResumable(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            for part in 0..<3 {
                let numbers = part * 4_000..<(part + 1) * 4_000
                try await store.append(
                    AppendRequest(
                        session: session, sequence: UInt64(part + 1),
                        [StreamAppend("sample-a", sampleEvents(numbers, payloadBytes: 0))]))
            }
            let all = try await store.read(after: .start, limit: 1_000_000, types: nil)
            #expect(all.events.count == EventLimits.readEvents)
            #expect(
                try await store.read(stream: "sample-a", after: .none, limit: 1_000_000).count == EventLimits.readEvents
            )
            #expect(try await store.readAll(stream: "sample-a").count == 12_000)
            var position = Position(11_990)
            var seen: [UInt64] = []
            while true {
                let page = try await store.read(after: position, limit: 3, types: nil)
                #expect(page.events.count <= 3)
                if page.scannedThrough == position { break }
                seen += page.events.map(\.position.value)
                position = page.scannedThrough
            }
            #expect(seen == Array(11_991...12_000))
            let beyond = try await store.read(after: Position(20_000), limit: 3, types: nil)
            #expect(
                beyond.events.isEmpty && beyond.scannedThrough == Position(20_000) && beyond.head == Position(12_000))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func aFilteredReadSaysHowFarItLooked(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            let events = (0..<60).map { sampleEvent($0, type: $0.isMultiple(of: 20) ? "sample.rare" : "sample.common") }
            try await store.append(AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", events)]))
            let rare = try await store.read(after: .start, limit: 2, types: ["sample.rare"])
            #expect(rare.events.map(\.position.value) == [1, 21])
            #expect(rare.scannedThrough >= Position(21) && rare.scannedThrough < Position(41))
            let rest = try await store.read(
                after: rare.scannedThrough, limit: 10, types: ["sample.rare", "sample.never"])
            #expect(rest.events.map(\.position.value) == [41])
            #expect(rest.scannedThrough == Position(60))
            let none = try await store.read(after: .start, limit: 10, types: ["sample.never"])
            #expect(none.events.isEmpty && none.scannedThrough == Position(60))
        }
    }

    @Test(arguments: StoreUnderTest.allCases)
    func streamsAreListedByPrefixInTheOrderOfTheirBytes(_ kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let session = try await store.openSession("writer")
            let names = [
                "usage-b", "usage-a", "usage-", "usage", "usagf", "bill-a", "usage-é", "usage-팀", "usage-a%", "Usage-a",
            ]
            for (index, name) in names.enumerated() {
                try await store.append(
                    AppendRequest(
                        session: session, sequence: UInt64(index + 1),
                        [StreamAppend(StreamName(name), sampleEvents(0..<index + 1))]))
            }
            let listed = try await store.allStreams(prefix: "usage-")
            #expect(listed.map(\.stream.text) == ["usage-", "usage-a", "usage-a%", "usage-b", "usage-é", "usage-팀"])
            #expect(listed.map(\.version.value) == [3, 2, 9, 1, 7, 8])
            #expect(
                try await store.streams(prefix: "usage-", after: "usage-a", limit: 2).map(\.stream) == [
                    "usage-a%", "usage-b",
                ])
            #expect(try await store.allStreams(prefix: "").count == names.count)
            #expect(try await store.readAll(stream: "usage-never").isEmpty)
        }
    }
}
