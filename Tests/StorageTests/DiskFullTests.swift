import EventLog
import Foundation
import Glibc
import Storage
import TestSupport
import Testing

/// A disk that really is full: a small file system in memory, which takes root to mount.
@Suite struct DiskFullTests {
    @Test(.enabled(if: getuid() == 0, "mounting a file system takes root"))
    func aFullDiskRefusesAppendsAndTheyResumeByThemselvesWhenThereIsRoom() async throws {
        try await withLog { log in
            try FileManager.default.createDirectory(atPath: log.directory, withIntermediateDirectories: true)
            guard let disk = await PrivateMount.temporaryFileSystem(at: log.directory, bytes: 2 << 20) else {
                try Test.cancel("this machine lets nobody mount")
            }
            try await disk.running { try fillAndFree(log) }
        }
    }

    private func fillAndFree(_ log: LogUnderTest) throws {
        let ballast = log.directory + "/ballast"
        try log.write([UInt8](repeating: 1, count: 1 << 20), to: ballast)
        let writer = try log.open()
        let session = try writer.openSession("writer")
        var sequence: UInt64 = 0
        func append() -> Result<AppendReceipt, StoreError> {
            let events = sampleEvents(Int(sequence) * 20..<Int(sequence) * 20 + 20, payloadBytes: 300)
            let request = AppendRequest(session: session, sequence: sequence + 1, [StreamAppend("sample-a", events)])
            let result = writer.append(group: [request]).results[0]
            if case .success = result { sequence += 1 }
            return result
        }
        var refusal: StoreError?
        while refusal == nil { if case .failure(let error) = append() { refusal = error } }
        guard case .refused(.readOnly) = refusal else { throw try #require(refusal) }
        #expect(writer.fatalFailure == nil)
        #expect(try log.events().count == Int(sequence) * 20)
        let written = sequence
        try removeFile(ballast)
        for _ in 0..<5 { _ = try append().get() }
        #expect(sequence == written + 5)
        #expect(try LogVerifier.verify(files: log.files).problem == nil)
    }
}
