import EventLog
import Foundation
import Glibc
import Spool
import TestSupport
import Testing

/// What a crash or a bad disk leaves.
@Suite struct SpoolDamageTests {
    /// A closed spool of twenty records of one size in one file, and that file's path and bytes.
    private func withFile(_ body: (_ path: String, _ file: String, _ bytes: [UInt8]) async throws -> Void) async throws
    {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            for number in 1...20 { try spool.append(sampleEvent(2 * number + 1, payloadBytes: 50), to: "calls-1") }
            await spool.close()
            let file = path + "/00000000000000000001.spool"
            try await body(path, file, Array(try Data(contentsOf: URL(filePath: file))))
        }
    }

    private func write(_ bytes: [UInt8], to file: String) throws { try Data(bytes).write(to: URL(filePath: file)) }

    private func read(_ path: String, _ check: (Spool, [SpoolRecord]) throws -> Void) async throws {
        let spool = try Spool(path)
        try check(spool, try await spool.read(after: 0, limit: 100))
        await spool.close()
    }

    @Test func aTornEndIsCutOffAndCountedAtEveryByte() async throws {
        try await withFile { path, file, bytes in
            let size = (bytes.count - 8) / 20
            for cut in stride(from: 1, to: size, by: 7) {
                try write(Array(bytes.dropLast(cut)), to: file)
                try await read(path) { spool, records in
                    #expect(records.map(\.number) == Array(1...19), "cut by \(cut)")
                    #expect(spool.recovery.damage.isEmpty && spool.recovery.tornBytes > 0)
                    #expect(spool.recovery.last == 19)
                    let number = try spool.append(sampleEvent(20), to: "calls-1")
                    #expect(number == 20)
                }
                try FileManager.default.removeItem(atPath: path + "/00000000000000000020.spool")
            }
        }
    }

    @Test func zerosWhereBytesNeverArrivedAreATornEnd() async throws {
        try await withFile { path, file, bytes in
            try write(bytes + [UInt8](repeating: 0, count: 4_000), to: file)
            try await read(path) { spool, records in
                #expect(records.count == 20 && spool.recovery.tornBytes == 4_000 && spool.recovery.damage.isEmpty)
            }
        }
    }

    @Test(arguments: 1...40) func aFlippedBitCostsOneRecordWhichIsSetAsideAndNamed(_ seed: UInt64) async throws {
        try await withFile { path, file, bytes in
            var random = SeededGenerator(seed: seed)
            let place = Int.random(in: 0..<bytes.count, using: &random)
            var flipped = bytes
            flipped[place] ^= 1 << Int.random(in: 0..<8, using: &random)
            try write(flipped, to: file)
            let size = (bytes.count - 8) / 20
            // The mark at the beginning belongs to no record.
            let hit = place < 8 ? nil : UInt64((place - 8) / size + 1)
            try await read(path) { spool, records in
                let damage = try #require(spool.recovery.damage.first, "seed \(seed)")
                #expect(spool.recovery.damage.count == 1 && spool.recovery.loss?.contains(file) == true)
                #expect(records.map(\.number) == (1...20).filter { $0 != hit }, "seed \(seed)")
                #expect(damage.path == file && damage.offset == (hit.map { 8 + Int($0 - 1) * size } ?? 0))
                let kept = Array(try Data(contentsOf: URL(filePath: damage.keptAt)))
                #expect(kept == Array(flipped[damage.offset..<damage.offset + damage.bytes]))
            }
            // It is told once.
            try await read(path) { spool, records in
                #expect(spool.recovery.damage.isEmpty && records.count == (hit == nil ? 20 : 19))
            }
        }
    }

    @Test func aFileThatIsGoneIsAHoleThatIsCountedAndSaid() async throws {
        try await withTemporaryDirectory { path in
            // Each opening begins a file.
            for first in [1, 11, 21] {
                let spool = try Spool(path)
                #expect(spool.recovery.missing == 0 && spool.recovery.loss == nil)
                for number in first..<first + 10 { try spool.append(sampleEvent(number), to: "calls-1") }
                await spool.close()
            }
            try FileManager.default.removeItem(atPath: path + "/00000000000000000011.spool")
            // However often it is opened, as long as what lies around the hole is not delivered.
            for _ in 1...2 {
                try await read(path) { spool, records in
                    #expect(records.map(\.number) == Array(1...10) + Array(21...30))
                    #expect(spool.recovery.missing == 10 && spool.recovery.damage.isEmpty && spool.recovery.last == 30)
                    #expect(spool.recovery.loss == "10 records between the first and the last are not there")
                }
            }
            let spool = try Spool(path)
            try spool.release(through: 30)
            await spool.close()
            try await read(path) { spool, records in #expect(records.isEmpty && spool.recovery.loss == nil) }
        }
    }

    @Test func aFileOfNonsenseIsSetAsideAndTheOthersAreRead() async throws {
        try await withFile { path, _, _ in
            let spool = try Spool(path)
            for number in 21...30 { try spool.append(sampleEvent(number), to: "calls-1") }
            await spool.close()
            try write([UInt8](repeating: 0x5A, count: 3_000), to: path + "/00000000000000000001.spool")
            try await read(path) { spool, records in
                #expect(records.map(\.number) == Array(21...30))
                #expect(spool.recovery.damage.count == 1 && spool.recovery.damage[0].bytes == 3_000)
            }
        }
    }

    @Test func filesAreForTheirOwnerAlone() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path + "/spool/gateway")
            try spool.append(sampleEvent(1), to: "calls-1")
            _ = try spool.setAside(SpoolRecord(number: 1, stream: "calls-1", event: sampleEvent(1)))
            let found = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
            #expect(found.count == 6)
            for name in found {
                var status = stat()
                #expect(stat(path + "/" + name, &status) == 0)
                #expect(status.st_mode & 0o077 == 0, "\(name)")
            }
            await spool.close()
        }
    }

    @Test(.enabled(if: getuid() == 0, "mounting a file system takes root"))
    func aFullDiskRefusesRecordsAndKeepsThoseItTookAndGoesOnWhenThereIsRoom() async throws {
        try await withTemporaryDirectory { path in
            guard let disk = await PrivateMount.temporaryFileSystem(at: path, bytes: 1 << 20) else {
                try Test.cancel("this machine lets nobody mount")
            }
            try await disk.running { try fillAndFree(path) }
        }
    }

    @Test(.enabled(if: getuid() == 0, "mounting a file system takes root"))
    func aSpoolOpensOnAFullDiskAndGoesOnWhenThereIsRoom() async throws {
        try await withTemporaryDirectory { path in
            guard let disk = await PrivateMount.temporaryFileSystem(at: path, bytes: 1 << 20) else {
                try Test.cancel("this machine lets nobody mount")
            }
            try await disk.running { try openWhileFull(path) }
        }
    }

    @Test func aSnapshotNeverGoesBackAndIsNotBelievedWhenDamaged() async throws {
        try await withTemporaryDirectory { path in
            let file = SnapshotFile(path + "/state")
            #expect(try file.load() == nil)
            try await file.save(.init(position: Position(7), bytes: [1, 2, 3]))
            try await file.save(.init(position: Position(5), bytes: [9]))
            let again = SnapshotFile(path + "/state")
            #expect(try again.load() == .init(position: Position(7), bytes: [1, 2, 3]))
            try await again.save(.init(position: Position(6), bytes: [9]))
            #expect(try again.load()?.position == Position(7))
            var bytes = Array(try Data(contentsOf: URL(filePath: path + "/state")))
            bytes[17] ^= 1
            try write(bytes, to: path + "/state")
            let failure = #expect(throws: SpoolFailure.self) { try SnapshotFile(path + "/state").load() }
            #expect(failure?.kind == .damaged)
        }
    }
}

private func fillAndFree(_ path: String) throws {
    let ballast = path + "/ballast"
    try Data(repeating: 1, count: 512 << 10).write(to: URL(filePath: ballast))
    // One file: a mount of this thread alone is not seen by the one that reads.
    let spool = try Spool(path + "/spool")
    var written = 0
    let failure = #expect(throws: SpoolFailure.self) {
        while written < 10_000 {
            try spool.append(sampleEvent(1, payloadBytes: 700), to: "calls-1")
            written += 1
        }
    }
    #expect(failure?.kind == .full && spool.status.failure == nil)
    #expect(throws: SpoolFailure.self) { try spool.append(sampleEvent(1, payloadBytes: 700), to: "calls-1") }
    try FileManager.default.removeItem(atPath: ballast)
    for _ in 0..<10 { try spool.append(sampleEvent(1, payloadBytes: 700), to: "calls-1") }
    let bytes = Array(try Data(contentsOf: URL(filePath: path + "/spool/00000000000000000001.spool")))
    // All of one size: nothing half-written stands between them.
    #expect((bytes.count - 8).isMultiple(of: written + 10) && spool.status.written == UInt64(written + 10))
}

private func openWhileFull(_ path: String) throws {
    func opened() throws -> Spool {
        // The one before gives its lock up a moment after it is let go.
        var result = Result { () throws(SpoolFailure) in try Spool(path + "/spool") }
        for _ in 0..<5_000 {
            guard case .failure(let failure) = result, failure.kind == .locked else { break }
            usleep(1_000)
            result = Result { () throws(SpoolFailure) in try Spool(path + "/spool") }
        }
        return try result.get()
    }
    do {
        let spool = try Spool(path + "/spool")
        for number in 1...3 { try spool.append(sampleEvent(number), to: "calls-1") }
    }
    let ballast = open(path + "/ballast", O_WRONLY | O_CREAT, 0o600)
    let page = [UInt8](repeating: 1, count: 4_096)
    while write(ballast, page, page.count) == page.count {}
    close(ballast)
    for _ in 0..<2 {
        let spool = try opened()
        #expect(spool.recovery.records == 3)
        let failure = #expect(throws: SpoolFailure.self) { try spool.append(sampleEvent(4), to: "calls-1") }
        #expect(failure?.kind == .full)
    }
    let spool = try opened()
    unlink(path + "/ballast")
    #expect(try spool.append(sampleEvent(4), to: "calls-1") == 4)
    #expect(spool.recovery.damage.isEmpty && spool.status.written == 4)
}
