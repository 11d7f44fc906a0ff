import EventLog
import Foundation
import Runtime
import Storage
import TestSupport
import Testing
import ZeroMQ

@testable import Messaging

/// What reaches a running `event-log` from outside and is not as it should be: refused, counted, named in its log; and it
/// goes on.
@Suite(.serialized) struct ServeTests {
    @Test func framesTypesAndSizesThatDoNotBelongAreRefusedCountedAndNamed() async throws {
        try await ServedLog.with { log in
            let endpoint = try log.directory.endpoints().requests
            let replies = try await exchange([Array("GET / HTTP/1.1".utf8), [0x46, 0x4C, 9, 9]], with: endpoint)
            #expect(replies.allSatisfy { if case .refused(.malformed("frame", _)) = $0 { true } else { false } })
            try await log.expectIncident("malformed-frame", times: 2)

            let oversized = LogRequest.hello.encoded() + [UInt8](repeating: 0, count: WireLimits.frameBytes)
            guard case .refused(.tooLarge) = try await exchange([oversized], with: endpoint)[0] else {
                throw NotInTime()
            }
            try await log.expectIncident("oversized-frame")

            await #expect(throws: StoreError.refused(.unknownType("usage.recordd"))) {
                try await log.append(1, to: "usage-a", type: "usage.recordd")
            }
            try await log.expectIncident("unknown-type")
            #expect(log.server.messages.contains("usage.recordd"))

            #expect(try await log.append(3, to: "usage-a").last == Position(3))
        }
    }

    @Test func overTheNetworkOnlyListedKeysGetIn() async throws {
        let (server, listed, stranger) = (
            try CurveKeyPair.generate(), try CurveKeyPair.generate(), try CurveKeyPair.generate()
        )
        try await ServedLog.with(
            { directory in
                ["--listen-requests", "tcp://127.0.0.1:*", "--listen-events", "tcp://127.0.0.1:*"]
                    + ["--curve-key", directory.keys + "/bus.key", "--allow", directory.keys + "/bus.allow"]
            },
            prepare: { directory in
                let key = directory.keys + "/bus.key"
                try server.secretKey.revealText().write(toFile: key, atomically: false, encoding: .utf8)
                chmod(key, 0o600)
                try "\(listed.publicKey) append=usage.recorded producers=ingest\n".write(
                    toFile: directory.keys + "/bus.allow", atomically: false, encoding: .utf8)
            }
        ) { log in
            let requests = try await remoteEndpoint(of: log)
            func store(_ keys: CurveKeyPair, _ serverKey: CurvePublicKey, seconds: Int64 = 1) -> RemoteEventStore {
                var options = RemoteLogOptions(
                    endpoints: LogEndpoints(requests: requests, events: requests),
                    curve: CurveClient(keys: keys, server: serverKey))
                options.deadlineMilliseconds = seconds * 1_000
                return RemoteEventStore(options)
            }
            let denied = store(stranger, server.publicKey)
            defer { denied.close() }
            await #expect(throws: StoreError.self) { try await denied.ping() }
            try await log.expectIncident("key-denied")
            #expect(log.server.messages.contains(stranger.publicKey.text))

            let lost = store(listed, stranger.publicKey)
            defer { lost.close() }
            await #expect(throws: StoreError.self) { try await lost.ping() }
            try await log.expectIncident("handshake-failed")

            let patient = store(listed, server.publicKey, seconds: 30)
            defer { patient.close() }
            await #expect(throws: StoreError.self) { try await patient.openSession("attributor") }
            try await log.expectIncident("not-allowed")
            let session = try await patient.openSession("ingest")
            _ = try await patient.append(session.request(1, StreamAppend("usage-a", [numbered(1)])))
            #expect(!log.server.messages.contains(server.secretKey.revealText()))
        }
    }

    /// The kernel chose the port; the program's log tells it.
    private func remoteEndpoint(of log: ServedLog) async throws -> String {
        try await eventually { log.server.messages.contains("tcp://127.0.0.1:") }
        let start = try #require(log.server.messages.range(of: "tcp://127.0.0.1:"))
        let port = log.server.messages[start.upperBound...].prefix { $0.isNumber }
        return "tcp://127.0.0.1:\(port)"
    }

    @Test func aFullDiskRefusesAppendsWhileReadsGoOnAndItResumesByItself() async throws {
        let mount = "mount -t tmpfs -o size=3m,mode=700 finops \"$LOG\" && head -c 1000000 /dev/zero >\"$LOG\"/ballast"
        func line(_ folder: String) -> [String] {
            let unshare = getuid() == 0 ? ["/usr/bin/unshare", "--mount"] : ["/usr/bin/unshare", "-Ur", "--mount"]
            return unshare + ["/bin/sh", "-c", "LOG='\(folder)'; \(mount) && exec \"$@\"", "sh"]
        }
        try await withTemporaryDirectory { folder in
            let trial = Process()
            trial.executableURL = URL(filePath: "/usr/bin/env")
            trial.arguments = line(folder) + ["true"]
            try trial.run()
            trial.waitUntilExit()
            if trial.terminationStatus != 0 { try Test.cancel("this machine lets nobody mount") }
        }
        try await ServedLog.with(shell: { line($0.logDirectory) }) { log in
            let store = try log.store()
            defer { store.close() }
            let session = try await store.openSession("writer")
            var written: UInt64 = 0
            func append() async throws {
                let events = (0..<20).map { numbered($0, bytes: 2_000) }
                _ = try await store.append(session.request(written + 1, StreamAppend("usage-a", events)))
                written += 1
            }
            var refusal: StoreError?
            while refusal == nil {
                do { try await append() } catch {
                    guard let known = error as? StoreError else { throw error }
                    refusal = known
                }
            }
            guard case .refused(.readOnly(let reason)) = refusal else { throw try #require(refusal) }
            #expect(reason.contains("disk is full"))
            try await log.expectIncident("read-only")
            // Reads go on.
            #expect(try await store.head() == Position(written * 20))
            #expect(try await store.read(after: .start, limit: 5, types: nil).events.count == 5)
            // Seen through its own mounts: there is room again.
            let ballast = "/proc/\(log.server.pid)/root\(log.directory.logDirectory)/ballast"
            try FileManager.default.removeItem(atPath: ballast)
            let before = written
            for _ in 0..<3 { try await append() }
            #expect(written == before + 3)
            try await log.expectIncident("writable-again")
        }
    }
}
