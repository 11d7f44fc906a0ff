import EventLog
import Storage
import TestSupport
import Testing

@Suite struct LogBackupTests {
    @Test func aBackupBesideARunningWriterIsCompleteAndGoesOnAfterRestore() async throws {
        try await withLog { log in
            try log.fill()
            let writer = try log.open()
            let session = try writer.openSession("writer")
            let request = AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", sampleEvents(0..<3))])
            _ = try writer.append(group: [request]).results[0].get()
            let path = log.directory + "/copy.db"
            let head = try LogBackup.backup(log.files, to: path)
            #expect(head == writer.logHead)
            #expect(throws: StoreError.self) { try LogBackup.backup(log.files, to: path) }

            let restored = LogUnderTest(directory: log.directory + "/restored")
            let found = try LogBackup.restore(path, into: restored.files)
            #expect(found.problem == nil)
            #expect(found.head == head)
            #expect(try restored.events() == log.events())
            #expect(try LogVerifier.verify(files: restored.files).problem == nil)
            let opened = try restored.open()
            #expect(
                opened.append(group: [request]).results[0]
                    == .success(
                        AppendReceipt(first: Position(241), count: 3, repeated: true)))
            withExtendedLifetime(writer) {}
        }
    }

    @Test func aDamagedBackupIsNotRestored() async throws {
        try await withLog { log in
            try log.fill()
            let path = log.directory + "/copy.db"
            try LogBackup.backup(log.files, to: path)
            var bytes = try log.bytes(of: path)
            let at = try #require(bytes.offsets(of: "sample-3").first)
            bytes[at] ^= 1
            try log.write(bytes, to: path)
            let restored = LogUnderTest(directory: log.directory + "/restored")
            #expect(try LogBackup.restore(path, into: restored.files).problem != nil)
            #expect(throws: StoreError.self) { try restored.events() }
        }
    }

    @Test func aLogWithEventsOrAWriterIsNotReplacedByChance() async throws {
        try await withLog { log in
            try log.fill()
            let path = log.directory + "/copy.db"
            try LogBackup.backup(log.files, to: path)
            #expect(
                #expect(throws: StoreError.self) { try LogBackup.restore(path, into: log.files) }?.code
                    == "log-not-empty")
            #expect(try LogBackup.restore(path, into: log.files, replace: true).events == 240)
            let writer = try log.open()
            let error = #expect(throws: StoreError.self) { try LogBackup.restore(path, into: log.files, replace: true) }
            #expect(error?.code == "log-locked")
            withExtendedLifetime(writer) {}
        }
    }

    @Test func importedEventsMakeTheSameLog() async throws {
        try await withLog { log in
            try log.fill()
            let events = try log.eventsWithHashes()
            let other = LogUnderTest(directory: log.directory + "/other")
            let target = try other.open()
            #expect(try target.restore(Array(events[..<100])) == nil)
            #expect(try target.restore(Array(events[100...])) == nil)
            #expect(try other.events() == log.events())
            #expect(target.logHead == (try LogVerifier.verify(files: log.files).head))
            #expect(try LogVerifier.verify(files: other.files).problem == nil)
            #expect(try target.openSession("second").lastSequence == 20)
        }
    }

    @Test func importingWhatDoesNotContinueTheLogWritesNothing() async throws {
        try await withLog { log in
            try log.fill()
            let events = try log.eventsWithHashes()
            let other = LogUnderTest(directory: log.directory + "/other")
            let target = try other.open()
            #expect(try target.restore(Array(events[0..<5] + events[6..<8]))?.index == 5)
            var changed = Array(events[0..<5])
            changed[3].event.event.actor += "?"
            #expect(try target.restore(changed)?.index == 3)
            #expect(target.head == .start)
            #expect(try target.restore(Array(events[0..<5])) == nil)
            #expect(target.head == Position(5))
        }
    }
}
