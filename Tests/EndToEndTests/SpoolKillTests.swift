import EventLog
import Foundation
import Logging
import Runtime
import Spool
import Stages
import Storage
import TestSupport
import Testing

/// A process that writes a spool as fast as it can, killed again and again, and a real log behind it.
@Suite struct SpoolKillTests {
    @Test func whatAKilledWriterWasToldIsKeptReachesTheLogOnce() async throws {
        var random = SeededGenerator(seed: 4)
        try await withTemporaryDirectory { path in
            let directory = StateDirectory(path: path + "/state")
            let scratch = URL(filePath: path)
            let initialised = try RunningProgram("finops", ["init", "--dir", path + "/state"], scratch: scratch)
            try await initialised.wait().expecting()
            let written = try await LogSession.withLog(directory, catchesUp: false) { store in
                var last: UInt64 = 0
                for round in 1...50 {
                    let wanted = last + UInt64.random(in: 1...3_000, using: &random)
                    let told = try await killedWriter(path + "/spool", scratch, after: wanted)
                    let spool = try Spool(path + "/spool")
                    #expect(spool.recovery.damage.isEmpty && spool.recovery.missing == 0, "round \(round)")
                    #expect(spool.recovery.last >= told, "round \(round): \(told) was acknowledged")
                    last = spool.recovery.last
                    // Some rounds leave it all to the next one.
                    if round == 50 || Bool.random(using: &random) {
                        try await drainer(spool, store).drainOnce()
                    }
                    await spool.close()
                }
                return last
            }
            try await expectEachOnce(written, directory)
        }
    }

    /// - Returns: the last number that the writer said it was given.
    private func killedWriter(_ spool: String, _ scratch: URL, after number: UInt64) async throws -> UInt64 {
        let writer = try RunningProgram("benchmarks", ["spool-child", spool], scratch: scratch)
        defer { writer.send(SIGKILL) }
        func told() -> UInt64 {
            // The last line may be half written.
            let lines = writer.standardOutputSoFar.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            return lines.last.flatMap { UInt64($0) } ?? 0
        }
        try await eventually("\(number) records: \(writer.standardErrorSoFar)") { told() >= number || writer.hasEnded }
        writer.send(SIGKILL)
        let result = await writer.wait()
        try result.expecting(-SIGKILL)
        return told()
    }

    private func drainer(_ spool: Spool, _ store: any EventStore) -> SpoolDrainer {
        SpoolDrainer(
            gateway: "killed", spool: spool, store: store,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { wallTime() })
    }

    private func expectEachOnce(_ written: UInt64, _ directory: StateDirectory) async throws {
        let log = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        var numbers: [UInt64] = []
        var position = Position.start
        while true {
            let page = try await log.read(after: position, limit: 10_000, types: ["call.recorded"])
            numbers += page.events.map { $0.event.id.low & 0x3FFF_FFFF_FFFF_FFFF }
            position = page.scannedThrough
            if page.scannedThrough >= page.head { break }
        }
        #expect(numbers == Array(1...written))
    }
}
