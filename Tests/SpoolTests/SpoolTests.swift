import EventLog
import Foundation
import Glibc
import Spool
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct SpoolTests {
    /// Everything that is on disk.
    private func all(_ spool: Spool, after number: UInt64 = 0) async throws -> [SpoolRecord] {
        var records: [SpoolRecord] = []
        while true {
            let page = try await spool.read(after: records.last?.number ?? number, limit: 7, bytes: 1_000)
            if page.isEmpty { return records }
            records += page
        }
    }

    private func fill(_ spool: Spool, _ numbers: Range<Int>, payloadBytes: Int = 40) throws {
        for number in numbers {
            let event = sampleEvent(number, payloadBytes: payloadBytes)
            let given = try spool.append(event, to: StreamName("calls-\(number % 3)"))
            #expect(given == UInt64(number))
        }
    }

    /// On a disk that syncs the first one, and fails when it is to sync all others: the gate is closed, and opens once
    /// they are in.
    private func fill(_ spool: Spool, _ numbers: Range<Int>, failing gate: SyncGate) async throws {
        try fill(spool, numbers.lowerBound..<numbers.lowerBound + 1)
        try await eventually { gate.waiting == 1 }
        try fill(spool, numbers.lowerBound + 1..<numbers.upperBound)
        gate.fail()
        gate.open()
        try await eventually { spool.status.failure != nil }
    }

    @Test func whatWasAppendedIsReadInOrderAlsoAfterAReopening() async throws {
        try await withTemporaryDirectory { path in
            let settings = SpoolSettings(segmentBytes: 2_000)
            var spool = try Spool(path + "/spool", settings)
            try fill(spool, 1..<101)
            try await spool.settled()
            let records = try await all(spool)
            #expect(records.map(\.number) == Array(1...100))
            #expect(records.map(\.event) == sampleEvents(1..<101, payloadBytes: 40))
            #expect(records[4].stream == "calls-2")
            await spool.close()
            spool = try Spool(path + "/spool", settings)
            #expect(spool.recovery.records == 100 && spool.recovery.tornBytes == 0 && spool.recovery.damage.isEmpty)
            try fill(spool, 101..<131)
            try await spool.settled()
            #expect(try await all(spool, after: 50).map(\.number) == Array(51...130))
            await spool.close()
        }
    }

    @Test func severalGoInTogetherOrNotAtAll() async throws {
        try await withTemporaryDirectory { path in
            func entries(_ numbers: Range<Int>) -> [SpoolEntry] {
                sampleEvents(numbers, payloadBytes: 40).map { SpoolEntry(event: $0, stream: "calls-0") }
            }
            let settings = SpoolSettings(segmentBytes: 2_000, totalBytes: 6_000)
            var spool = try Spool(path + "/spool", settings)
            try fill(spool, 1..<2)
            #expect(try spool.append(entries(2..<21)) == 2)
            let failure = #expect(throws: SpoolFailure.self) { try spool.append(entries(21..<81)) }
            #expect(failure?.kind == .full)
            #expect(try spool.append(entries(21..<23)) == 21)
            try await spool.settled()
            #expect(try await all(spool).map(\.event) == sampleEvents(1..<23, payloadBytes: 40))
            await spool.close()
            spool = try Spool(path + "/spool", settings)
            #expect(spool.recovery.records == 22 && spool.recovery.tornBytes == 0 && spool.recovery.damage.isEmpty)
            #expect(try await all(spool).map(\.number) == Array(1...22))
            await spool.close()
        }
    }

    @Test func whatIsReleasedIsDeletedByWholeFilesAndItsNumbersAreNotUsedAgain() async throws {
        try await withTemporaryDirectory { path in
            let settings = SpoolSettings(segmentBytes: 2_000)
            var spool = try Spool(path, settings)
            try fill(spool, 1..<101)
            try await spool.settled()
            let before = spool.status.bytes
            try spool.release(through: 60)
            #expect(spool.status.bytes < before && spool.status.waiting == 40)
            #expect(try await all(spool, after: 60).map(\.number) == Array(61...100))
            try spool.release(through: 100)
            #expect(spool.status.bytes < 2_100)
            await spool.close()
            spool = try Spool(path, settings)
            try spool.release(through: 100)
            #expect(try await all(spool, after: 100).isEmpty)
            await spool.close()
            spool = try Spool(path, settings)
            #expect(spool.recovery.last == 100)
            try fill(spool, 101..<103)
            await spool.close()
        }
    }

    @Test func nothingIsReadBeforeItIsOnDisk() async throws {
        try await withTemporaryDirectory { path in
            let gate = SyncGate()
            let spool = try Spool(path, SpoolSettings(sync: { gate.sync($0) }))
            try fill(spool, 1..<3)
            try await eventually { gate.waiting == 1 }
            #expect(try await all(spool).isEmpty)
            #expect(spool.status.durable == 0 && spool.status.written == 2)
            gate.open()
            try await spool.settled()
            #expect(try await all(spool).count == 2)
            await spool.close()
        }
    }

    @Test func afterAFailedSyncNothingIsKept() async throws {
        try await withTemporaryDirectory { path in
            let gate = SyncGate(failing: true)
            let spool = try Spool(path, SpoolSettings(sync: { gate.sync($0) }))
            try fill(spool, 1..<2)
            try await eventually { spool.status.failure != nil }
            let failure = #expect(throws: SpoolFailure.self) { try spool.append(sampleEvent(2), to: "calls-1") }
            #expect(failure?.kind == .readOnly)
            #expect(spool.status.durable == 0)
            gate.heal()
            #expect(throws: SpoolFailure.self) { try spool.append(sampleEvent(2), to: "calls-1") }
            await spool.close()
        }
    }

    /// A disk that failed for a moment must not take all records of the hours until somebody starts the gateway again.
    @Test func aSpoolWhoseSyncFailedIsMendedOnceTheDiskIsWell() async throws {
        try await withTemporaryDirectory { path in
            let gate = SyncGate()
            let spool = try Spool(path, SpoolSettings(segmentBytes: 2_000, sync: { gate.sync($0) }))
            try await fill(spool, 1..<40, failing: gate)
            #expect(spool.status.written == 39 && spool.status.durable == 1)
            gate.heal()
            try await spool.mend()
            #expect(spool.status.failure == nil && spool.status.durable == 39)
            try fill(spool, 40..<60)
            try await spool.settled()
            #expect(try await all(spool).map(\.number) == Array(1...59))
            await spool.close()
            let again = try Spool(path)
            #expect(again.recovery.records == 59 && again.recovery.damage.isEmpty && again.recovery.missing == 0)
            await again.close()
        }
    }

    /// The kernel says only once that it has lost something: a later sync that succeeds vouches for nothing before it.
    @Test func whatASyncMayHaveLostIsWrittenAnewThoughTheNextOneSucceeds() async throws {
        try await withTemporaryDirectory { path in
            let gate = SyncGate()
            gate.fail()
            let spool = try Spool(path, SpoolSettings(segmentBytes: 2_000, sync: { gate.sync($0) }))
            try fill(spool, 1..<2)
            try await eventually { gate.waiting == 1 }
            gate.heal()
            try fill(spool, 2..<40)
            let files = try Self.files(path)
            #expect(files.count > 2)
            gate.open()
            try await eventually { spool.status.failure != nil }
            // The thread that syncs was rung for once more, and is to do nothing.
            try await Task.sleep(for: .milliseconds(50))
            try await spool.mend()
            let after = try Self.files(path)
            #expect(
                files.allSatisfy { name, number in after[name] != nil && after[name] != number }, "\(files) \(after)")
            #expect(spool.status.durable == 39)
            await spool.close()
        }
    }

    /// The spool's files and their inodes.
    private static func files(_ path: String) throws -> [String: UInt64] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".spool") }
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                var facts = stat()
                try #require(stat("\(path)/\(name)", &facts) == 0)
                return (name, UInt64(facts.st_ino))
            })
    }

    @Test func aSpoolWhoseRecordsCannotBeReadAnyMoreIsNotMended() async throws {
        try await withTemporaryDirectory { path in
            let gate = SyncGate()
            let spool = try Spool(path, SpoolSettings(sync: { gate.sync($0) }))
            try await fill(spool, 1..<4, failing: gate)
            try #require(truncate(path + "/00000000000000000001.spool", 100) == 0)
            let failure = await #expect(throws: SpoolFailure.self) { try await spool.mend() }
            #expect(failure?.reason.contains("a restart of the gateway") == true)
            #expect(spool.status.failure?.kind == .readOnly)
            await spool.close()
        }
    }

    @Test func aSecondWriterIsRefused() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            let failure = #expect(throws: SpoolFailure.self) { try Spool(path) }
            #expect(failure?.kind == .locked && failure?.reason.contains("--name") == true)
            await spool.close()
            await (try Spool(path)).close()
        }
    }

    @Test func itsTotalIsBounded() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path, SpoolSettings(segmentBytes: 2_000, totalBytes: 10_000))
            var number = 0
            let failure = #expect(throws: SpoolFailure.self) {
                while number < 1_000 {
                    try fill(spool, number + 1..<number + 2)
                    number += 1
                }
            }
            #expect(failure?.kind == .full)
            try await spool.settled()
            try spool.release(through: UInt64(number) / 2)
            try fill(spool, number + 1..<number + 4)
            await spool.close()
        }
    }

    /// Also where nothing but the file that is written takes the room, which is not deleted otherwise.
    @Test func oneThatFoundNoRoomHasRoomAgainWhenEverythingHasArrived() async throws {
        try await withTemporaryDirectory { path in
            var spool = try Spool(path, SpoolSettings(totalBytes: 10_000))
            for round in 1...3 {
                var number = Int(spool.status.written)
                let failure = #expect(throws: SpoolFailure.self) {
                    while number < round * 1_000 {
                        try fill(spool, number + 1..<number + 2)
                        number += 1
                    }
                }
                #expect(failure?.kind == .full)
                try await spool.settled()
                #expect(try await all(spool, after: UInt64(number) - 5).count == 5)
                try spool.release(through: UInt64(number))
                #expect(spool.status.bytes < 100 && spool.status.waiting == 0)
                try fill(spool, number + 1..<number + 4)
                try await spool.settled()
                #expect(try await all(spool, after: UInt64(number)).map(\.number).count == 3)
                try spool.release(through: UInt64(number) + 3)
                await spool.close()
                spool = try Spool(path, SpoolSettings(totalBytes: 10_000))
                #expect(spool.recovery.damage.isEmpty && spool.recovery.missing == 0)
                #expect(spool.recovery.last == UInt64(number) + 3)
            }
            await spool.close()
        }
    }

    @Test func anEventThatNoLogTakesIsRefusedAtOnce() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            let event = sampleEvent(1, payloadBytes: EventLimits.payloadBytes + 1)
            #expect(throws: SpoolFailure.self) { try spool.append(event, to: "calls-1") }
            try fill(spool, 1..<2)
            await spool.close()
        }
    }

    @Test func manyThreadsGetNumbersWithoutGaps() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path, SpoolSettings(segmentBytes: 50_000))
            let numbers = try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        try (0..<500).map { try spool.append(sampleEvent($0), to: StreamName("writer-\(writer)")) }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(numbers.sorted() == Array(1...2_000))
            try await spool.settled()
            let byWriter = Dictionary(grouping: try await all(spool), by: \.stream)
            #expect(byWriter.values.allSatisfy { $0.map(\.event) == sampleEvents(0..<500) })
            await spool.close()
        }
    }

    @Test func aSpoolBegunAnewUnderAKnownNameUsesNoSequenceTwice() async throws {
        try await withTemporaryDirectory { path in
            var spool = try Spool(path + "/a")
            try fill(spool, 1..<4)
            await spool.close()
            // Reopened before the log could be asked: all three still wait.
            spool = try Spool(path + "/a")
            #expect(try spool.anchor(lastSequence: 500).base == 500)
            await spool.close()
            spool = try Spool(path + "/a")
            // As long as the log is not asked, what it said last counts: 502 is the second of the three records.
            #expect(try spool.number(ofSequence: 502) == 2)
            #expect(try spool.number(ofSequence: 510) == 0 && spool.number(ofSequence: 7) == 0)
            let anchored = try spool.anchor(lastSequence: 502)
            #expect(anchored.base == 500 && !anchored.isBehind)
            await spool.close()
            // The log has 510, which is ten numbers; the disk kept three.
            spool = try Spool(path + "/a")
            let behind = try spool.anchor(lastSequence: 510)
            #expect(behind.base == 507 && behind.isBehind)
            #expect(try spool.anchor(lastSequence: 512).isBehind == false)
            await spool.close()
        }
    }
}
