import EventLog
import Storage
import TestSupport
import Testing

/// What is left after a crash: the database, its write-ahead log and the witness, copied from under a live writer.
@Suite struct CrashTests {
    /// A log whose events all stand in the write-ahead log, as a crash would leave it.
    private func withCrashedLog(_ body: (LogUnderTest, _ sound: [RecordedEvent]) throws -> Void) async throws {
        try await withLog { log in
            let writer = try log.open()
            let session = try writer.openSession("writer")
            for sequence in 1...40 {
                let events = sampleEvents(sequence * 5..<sequence * 5 + 5, payloadBytes: 100)
                let request = AppendRequest(
                    session: session, sequence: UInt64(sequence), [StreamAppend("sample-a", events)])
                _ = try writer.append(group: [request]).results[0].get()
            }
            let crashed = try log.crashed(into: log.directory + "/crashed")
            try body(crashed, try log.events())
            withExtendedLifetime(writer) {}
        }
    }

    @Test func everythingAcknowledgedIsThereAfterACrash() async throws {
        try await withCrashedLog { crashed, sound in
            #expect(try LogVerifier.verify(files: crashed.files).problem == nil)
            let opened = try crashed.open()
            #expect(try crashed.events() == sound)
            #expect(try opened.openSession("writer").lastSequence == 40)
        }
    }

    @Test(arguments: [0.5, 0.9, 0.99])
    func aCutWriteAheadLogLeavesAPrefixAndIsNoticed(_ share: Double) async throws {
        try await withCrashedLog { crashed, sound in
            let path = crashed.files.database + "-wal"
            let bytes = try crashed.bytes(of: path)
            try crashed.write(Array(bytes.prefix(Int(Double(bytes.count) * share))), to: path)
            try expectNoticedTruncation(crashed, sound)
        }
    }

    @Test func aFlippedBitInTheWriteAheadLogLeavesAPrefixAndIsNoticed() async throws {
        try await withCrashedLog { crashed, sound in
            let path = crashed.files.database + "-wal"
            var bytes = try crashed.bytes(of: path)
            bytes[bytes.count * 3 / 4] ^= 0x20
            try crashed.write(bytes, to: path)
            try expectNoticedTruncation(crashed, sound)
        }
    }

    @Test func aLostDatabaseIsNoticed() async throws {
        try await withLog { log in
            try log.fill()
            for ending in ["", "-wal", "-shm"] { try removeFile(log.files.database + ending) }
            let error = #expect(throws: StoreError.self) { try log.open() }
            #expect(error?.code == "log-truncated")
        }
    }

    private func expectNoticedTruncation(_ log: LogUnderTest, _ sound: [RecordedEvent]) throws {
        let found = try LogVerifier.verify(files: log.files)
        #expect(found.events < 200)
        #expect(found.problem?.position == Position(found.events + 1))
        let error = #expect(throws: StoreError.self) { try log.open() }
        #expect(error?.code == "log-truncated")
        #expect(error?.description.contains("--accept-truncation") == true)
        let opened = try log.open(acceptTruncation: true)
        #expect(opened.acceptedTruncation != nil)
        let left = try log.events()
        #expect(left == Array(sound.prefix(left.count)))
        #expect(opened.head == Position(UInt64(left.count)))
        // From here on it is a sound log that goes on.
        let session = try opened.openSession("writer")
        let request = AppendRequest(
            session: session, sequence: session.lastSequence + 1, [StreamAppend("sample-a", [sampleEvent(9_999)])])
        #expect(try opened.append(group: [request]).results[0].get().first == Position(UInt64(left.count) + 1))
        #expect(try LogVerifier.verify(files: log.files).problem == nil)
    }
}
