import EventLog
import Storage
import TestSupport
import Testing

@Suite struct LogVerifierTests {
    /// A filled log, changed on disk by `damage`, and what the check then finds.
    private func verification(
        _ damage: (LogUnderTest, inout [UInt8]) throws -> Void
    ) async throws -> LogVerification {
        var found: LogVerification?
        try await withLog { log in
            try log.fill()
            var bytes = try log.bytes(of: log.files.database)
            try damage(log, &bytes)
            try log.write(bytes, to: log.files.database)
            found = try LogVerifier.verify(files: log.files)
        }
        return try #require(found)
    }

    @Test func aSoundLogHasItsLastRowsHash() async throws {
        try await withLog { log in
            try log.fill()
            let found = try LogVerifier.verify(files: log.files)
            #expect(found.problem == nil)
            #expect(found.events == 240)
            let opened = try log.open()
            #expect(found.head == opened.logHead)
            #expect(found.head.hash.count == 32)
        }
    }

    @Test func anEmptyLogIsSound() async throws {
        try await withLog { log in
            _ = try log.open()
            let found = try LogVerifier.verify(files: log.files)
            #expect(found.problem == nil && found.events == 0 && found.head == .genesis)
        }
    }

    @Test func aFlippedBitOfAPayloadIsNamedByItsPosition() async throws {
        let found = try await verification { log, bytes in
            let target = try log.events()[61]
            // Pages that were split may keep stale copies; of those the flip is harmless, so all are flipped.
            let (id, ids) = (
                target.event.id, [target.event.causation, target.event.correlation].compactMap(\.self).count
            )
            let pattern = withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { Array($0) }
            for at in bytes.offsets(of: pattern) { bytes[at + 16 * (1 + ids) + 6] ^= 0x10 }
        }
        #expect(found.problem?.position == Position(62))
        #expect(found.events == 61)
    }

    @Test(arguments: [
        ("sample-7", 0), ("sample-7", 1), ("sample.odd", 0), ("actor-2", 0), ("second", 0), ("second", 1),
    ])
    func aFlippedBitOfANameIsNamedByItsFirstUse(_ name: String, _ occurrence: Int) async throws {
        var first: Position?
        let found = try await verification { log, bytes in
            first = try log.events().first {
                [$0.stream.text, $0.type.text, $0.event.actor, $0.producer.text].contains(name)
            }?.position
            let offsets = bytes.offsets(of: name)
            #expect(offsets.count >= 2, "a name stands in its table and in the table's index")
            bytes[offsets[min(occurrence, offsets.count - 1)] + name.utf8.count - 1] ^= 0x04
        }
        #expect(found.problem?.position == first, "\(found.problem?.reason ?? "nothing found")")
    }

    @Test func aChangedProducerIsFound() async throws {
        try await withLog { log in
            try log.fill()
            #expect(log.execute("UPDATE producers SET sequence = sequence + 1 WHERE epoch = 1 AND name = 1") == nil)
            let problem = try #require(try LogVerifier.verify(files: log.files).problem)
            #expect(problem.reason.contains("producer \"first\""))
            #expect(problem.position == Position(1))
        }
    }

    @Test func aRemovedLawIsFound() async throws {
        try await withLog { log in
            try log.fill()
            #expect(log.execute("DROP TRIGGER events_update") == nil)
            #expect(try LogVerifier.verify(files: log.files).problem?.reason == "a table's definition was changed")
        }
    }

    @Test func aLogBehindItsWitnessIsFound() async throws {
        try await withLog { log in
            try log.fill()
            #expect(
                log.execute("DROP TRIGGER events_delete; DELETE FROM events WHERE position > 200; \(restoredTrigger)")
                    == nil)
            let problem = try #require(try LogVerifier.verify(files: log.files).problem)
            #expect(problem.position == Position(201))
            try removeFile(log.files.witness)
            #expect(try LogVerifier.verify(files: log.files).problem != nil)
        }
    }

    private var restoredTrigger: String {
        "CREATE TRIGGER events_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
    }

    /// Bits all over the file: whatever changes what can be read from a table or an index must be found.
    @Test func anyFlippedBitThatChangesARowADictionaryOrAnIndexIsFound() async throws {
        try await withLog { log in
            try log.fill()
            let sound = try log.bytes(of: log.files.database)
            let dump = try #require(log.dump())
            var random = SeededGenerator(seed: 20_261_120)
            var changed = 0
            for _ in 0..<150 {
                let (at, bit) = (
                    Int.random(in: 100..<sound.count, using: &random), UInt8.random(in: 0..<8, using: &random)
                )
                var bytes = sound
                bytes[at] ^= 1 << bit
                try log.write(bytes, to: log.files.database)
                if log.dump() == dump { continue }
                changed += 1
                let found = try LogVerifier.verify(files: log.files)
                let problem = try #require(found.problem, "byte \(at), bit \(bit) was not found")
                #expect((1...241).contains(problem.position.value), "byte \(at), bit \(bit)")
            }
            #expect(changed > 50)
        }
    }
}
