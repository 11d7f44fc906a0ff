import EventLog
import Storage
import TestSupport
import Testing

@Suite struct SQLiteLogTests {
    @Test func aLogThatIsOpenedAgainGoesOnWhereItEnded() async throws {
        try await withLog { log in
            try log.fill()
            let before = try log.events()
            let opened = try log.open()
            #expect(opened.head == Position(240))
            let session = try opened.openSession("first")
            #expect(session == ProducerSession(producer: "first", epoch: 2, lastSequence: 20))
            let last = try #require(before.last { $0.stream == "sample-0" })
            let outcome = opened.append(group: [
                AppendRequest(
                    session: session, sequence: 21,
                    [StreamAppend("sample-0", expected: .exactly(last.version), [sampleEvent(1_000)])])
            ])
            #expect(try outcome.results[0].get().first == Position(241))
            #expect(try log.events().dropLast() == before[...])
            #expect(try LogVerifier.verify(files: log.files).problem == nil)
        }
    }

    @Test func aRefusalConcernsItsRequestAloneAndLaterOnesSeeWhatEarlierOnesDid() async throws {
        try await withLog { log in
            let opened = try log.open()
            let session = try opened.openSession("writer")
            let other = try opened.openSession("other")
            func request(_ session: ProducerSession, _ sequence: UInt64, _ expected: ExpectedVersion) -> AppendRequest {
                AppendRequest(
                    session: session, sequence: sequence,
                    [StreamAppend("sample-a", expected: expected, [sampleEvent(Int(sequence))])])
            }
            let repeated = request(session, 1, .noStream)
            let outcome = opened.append(group: [
                repeated, request(other, 1, .noStream), request(other, 1, .exactly(StreamVersion(1))), repeated,
                AppendRequest(session: other, sequence: 2, []),
            ])
            #expect(
                outcome.results == [
                    .success(AppendReceipt(first: Position(1), count: 1, repeated: false)),
                    .failure(.refused(.conflict(stream: "sample-a", expected: .noStream, actual: StreamVersion(1)))),
                    .success(AppendReceipt(first: Position(2), count: 1, repeated: false)),
                    .success(AppendReceipt(first: Position(1), count: 1, repeated: true)),
                    .success(AppendReceipt(first: Position(2), count: 0, repeated: false)),
                ])
            #expect(outcome.first == Position(1))
            #expect(outcome.committedCount == 2)
            var decoder = EventDecoder()
            let published = try outcome.committed.withUnsafeBytes { try decoder.decodeAll($0) }
            #expect(published == (try log.events()))
        }
    }

    @Test func recordedTimeNeverGoesBack() async throws {
        try await withLog { log in
            var opened: SQLiteLog? = try log.open()
            func append(_ sequence: UInt64) throws {
                let session = try #require(try opened?.openSession("writer"))
                let request = AppendRequest(
                    session: session, sequence: sequence, [StreamAppend("sample-a", [sampleEvent(1)])])
                _ = try opened?.append(group: [request]).results[0].get()
            }
            log.clock.set(to: 5_000)
            try append(1)
            log.clock.set(to: 1_000)
            try append(2)
            opened = nil
            opened = try log.open()
            try append(3)
            log.clock.set(to: 6_000)
            try append(4)
            #expect(try log.events().map(\.recorded.seconds) == [5_001, 5_001, 5_001, 6_001])
        }
    }

    @Test func aSecondWriterIsRefused() async throws {
        try await withLog { log in
            let opened = try log.open()
            #expect(throws: StoreError.self) { try log.open() }
            do throws(StoreError) { _ = try log.open() } catch {
                guard case .failed(let failure) = error else { throw error }
                #expect(failure.code == "log-locked")
                #expect(failure.isRetriable)
            }
            withExtendedLifetime(opened) {}
        }
    }

    @Test(arguments: [
        "UPDATE events SET payload = x'00' WHERE position = 3", "DELETE FROM events WHERE position = 3",
        "UPDATE streams SET name = 'other'", "DELETE FROM streams", "UPDATE types SET name = 'other'",
        "DELETE FROM names",
        "DELETE FROM producers", "INSERT OR REPLACE INTO streams VALUES (1, 'other')",
        "REPLACE INTO events SELECT * FROM events WHERE position = 3",
    ])
    func whatWasWrittenIsNeitherChangedNorRemoved(_ statement: String) async throws {
        try await withLog { log in
            try log.fill()
            let refusal = try #require(log.execute("PRAGMA recursive_triggers = ON; " + statement))
            #expect(refusal.contains("append-only"))
            #expect(try LogVerifier.verify(files: log.files).problem == nil)
        }
    }

    @Test func aLogOfANewerProgramIsRefused() async throws {
        try await withLog { log in
            try log.fill()
            #expect(log.execute("PRAGMA user_version = 2") == nil)
            for open in [{ _ = try log.open() }, { _ = try log.events() }] {
                let error = #expect(throws: StoreError.self) { try open() }
                #expect(error?.code == "log-newer")
            }
        }
    }

    @Test func aFileThatIsNoLogIsRefusedAndLeftAsItIs() async throws {
        try await withLog { log in
            try log.fill()
            let other = LogUnderTest(directory: log.directory + "/other")
            _ = try? other.open()  // Makes the folder; the file is replaced below.
            for ending in ["", "-wal", "-shm"] { try? removeFile(other.files.database + ending) }
            #expect(other.execute("CREATE TABLE mine (a)") == nil)
            let before = try other.bytes(of: other.files.database)
            let error = #expect(throws: StoreError.self) { try other.open() }
            #expect(error?.code == "log-foreign")
            #expect(try other.bytes(of: other.files.database) == before)
        }
    }

    @Test func aReaderWithoutALogSaysSo() async throws {
        try await withLog { log in
            let reader = SQLiteEventReader(files: log.files)
            do throws(StoreError) { _ = try await reader.head() } catch { #expect(error.code == "log-missing") }
            try log.fill()
            #expect(try await reader.head() == Position(240))
        }
    }

    @Test func aReaderAnswersForManyStreamsAtOnceAndAsFarAsAnAnswerMayReach() async throws {
        try await withLog { log in
            let opened = try log.open()
            let session = try opened.openSession("writer")
            for number in 1...4 {
                let events = sampleEvents(0..<6, payloadBytes: EventLimits.payloadBytes)
                let request = AppendRequest(
                    session: session, sequence: UInt64(number), [StreamAppend(StreamName("sample-\(number)"), events)])
                for result in opened.append(group: [request]).results { _ = try result.get() }
            }
            // As a port: in asynchronous code the call would else be the port's own, which covers one stream.
            let reader: any EventReader = SQLiteEventReader(files: log.files)
            let streams = try await reader.allStreams(prefix: "sample-")
            // Two streams are more than eight megabytes.
            let names = streams.map(\.stream)
            #expect(try await reader.read(streams: names[...], limit: 6).map(\.count) == [6, 6])
            #expect(try await reader.read(streams: names[...], limit: 1).map(\.count) == [1, 1, 1, 1])
            #expect(try await reader.readAll(streams: streams).map(\.position.value) == Array(1...24))
            // The same again, though it keeps its last answers for a while.
            for _ in 0..<3 {
                var position = Position.start
                for _ in 0..<24 {
                    let page = try await reader.read(after: position, limit: 1, types: nil)
                    #expect(page.events.map(\.position) == [position.next])
                    position = page.scannedThrough
                }
            }
        }
    }

    @Test func aBoundOnTheFileRefusesAppendsAndLeavesReads() async throws {
        try await withLog { log in
            let opened = try log.open(maximumPages: 60)
            let session = try opened.openSession("writer")
            var written = 0
            var refusal: StoreError?
            for sequence in 1...200 where refusal == nil {
                let request = AppendRequest(
                    session: session, sequence: UInt64(sequence),
                    [StreamAppend("sample-a", sampleEvents(written..<written + 10, payloadBytes: 300))])
                switch opened.append(group: [request]).results[0] {
                case .success: written += 10
                case .failure(let error): refusal = error
                }
            }
            guard case .refused(.readOnly) = refusal else {
                Issue.record("expected a read-only refusal, got \(String(describing: refusal))")
                return
            }
            #expect(opened.fatalFailure == nil)
            #expect(try log.events().count == written)
            #expect(opened.head == Position(UInt64(written)))
            #expect(try LogVerifier.verify(files: log.files).events == UInt64(written))
        }
    }
}

extension StoreError {
    var code: String { if case .failed(let failure) = self { failure.code } else { "refused" } }
}
