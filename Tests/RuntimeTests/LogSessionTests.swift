import EventLog
import Foundation
import Messaging
import Runtime
import Testing

/// One-shots against programs that are small scripts: what is tested is who starts and stops what.
@Suite struct LogSessionTests {
    /// A stand-in for `event-log serve`: answers its health socket, obeys its lifeline, and notes that it ran.
    private static let eventLog = """
        #!/usr/bin/python3
        import os, socket, sys, threading, fcntl
        directory = sys.argv[sys.argv.index("--dir") + 1]
        lock = open(directory + "/log/lock", "w")
        try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError: sys.exit(75)
        open(directory + "/run/started", "a").write("x\\n")
        path = directory + "/run/event-log.health.sock"
        if os.path.exists(path): os.unlink(path)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(path); server.listen(8)
        def serve():
            while True:
                client, _ = server.accept()
                client.recv(4096)
                client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
                client.close()
        threading.Thread(target=serve, daemon=True).start()
        sys.stdin.read()
        os.unlink(path)
        """

    private static func catchUp(_ name: String) -> String {
        "#!/bin/sh\necho \(name) $1 >> \"$3/run/caught-up\"\n"
    }

    private func withPrograms(_ body: (StateDirectory, ProgramLocator) async throws -> Void) async throws {
        try await withStateDirectory { directory in
            let bin = directory.path + "/bin"
            try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
            let programs = [
                "event-log": Self.eventLog, "attributor": Self.catchUp("attributor"),
                "threshold-watcher": Self.catchUp("threshold-watcher"), "projector": Self.catchUp("projector"),
            ]
            for (name, text) in programs {
                try text.write(toFile: "\(bin)/\(name)", atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(bin)/\(name)")
            }
            try await body(directory, ProgramLocator(directory: bin))
        }
    }

    private let memory = LogConnector { _ in
        LogConnection(store: InMemoryEventStore(now: { Timestamp(seconds: 0) })) {}
    }

    private func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""  // A file that nobody wrote is empty.
    }

    @Test(.enabled(if: python3IsThere, "needs python3"))
    func withoutARunningLogOneIsStartedCaughtUpAndStopped() async throws {
        try await withPrograms { directory, programs in
            let head = try await LogSession.withLog(directory, programs: programs, connector: memory) { store in
                #expect(FileLock.isHeld(path: directory.logLock))
                return try await store.head()
            }
            #expect(head == .start)
            #expect(!FileLock.isHeld(path: directory.logLock))
            let caughtUp = ["attributor", "threshold-watcher", "projector"].map { "\($0) catch-up\n" }
            #expect(text(directory.run + "/caught-up") == caughtUp.joined())
        }
    }

    /// A running pipeline's log may be away for a moment, or too slow to answer: its reactors are there all the same, and would
    /// be fenced.
    @Test(.enabled(if: python3IsThere, "needs python3"))
    func besideARunningPipelineNobodyCatchesUp() async throws {
        try await withPrograms { directory, programs in
            let lock = try #require(try FileLock(path: directory.supervisorLock))
            _ = try await LogSession.withLog(directory, programs: programs, connector: memory) { try await $0.head() }
            #expect(text(directory.run + "/started") == "x\n")
            #expect(text(directory.run + "/caught-up").isEmpty)
            withExtendedLifetime(lock) {}
        }
    }

    @Test(.enabled(if: python3IsThere, "needs python3"))
    func whatACommandThrowsIsItsAnswerAfterTheLogWasStopped() async throws {
        try await withPrograms { directory, programs in
            await #expect(throws: CommandFailure(.notAuthorised, "no")) {
                try await LogSession.withLog(directory, programs: programs, connector: memory) { _ in
                    throw CommandFailure(.notAuthorised, "no")
                }
            }
            #expect(!FileLock.isHeld(path: directory.logLock))
        }
    }

    @Test func aLogOnAnotherMachineThatDoesNotAnswerIsANamedEndpoint() async throws {
        try await withStateDirectory { directory in
            let keys = try BusKeys.generate()
            try """
            version: 1
            name: elsewhere
            endpoints:
              log-requests: { address: "tcp://127.0.0.1:9", server_key: "\(keys.publicKey)" }
              log-events: { address: "tcp://127.0.0.1:10", server_key: "\(keys.publicKey)" }
            processes:
              - { name: ingest-openai, command: [ingest-openai, run] }
            """.write(toFile: directory.pipeline, atomically: true, encoding: .utf8)
            try keys.secretKey.write(toFile: directory.busKey, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: directory.busKey)
            let silent = StoreFailure(code: StoreFailure.logUnreachable, message: "no answer", isRetriable: true)
            let failure = await #expect(throws: CommandFailure.self) {
                try await LogSession.withLog(directory, connector: memory) { _ in throw StoreError.failed(silent) }
            }
            #expect(failure?.exitStatus == .endpointUnreachable)
        }
    }

    @Test(.enabled(if: python3IsThere, "needs python3"))
    func twoCommandsAtOnceShareOneLog() async throws {
        try await withPrograms { directory, programs in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await LogSession.withLog(
                            directory, catchesUp: false, programs: programs, connector: memory
                        ) { _ in
                            // The log may be the child of one that has just ended; then it is started again.
                            try await eventually("a log serves") { FileLock.isHeld(path: directory.logLock) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(!FileLock.isHeld(path: directory.logLock))
        }
    }

    @Test(.enabled(if: python3IsThere, "needs python3"))
    func aLogThatVanishesIsStartedAgain() async throws {
        try await withPrograms { directory, programs in
            try await LogSession.withLog(directory, catchesUp: false, programs: programs, connector: memory) { _ in
                let holder = try lockHolder(directory)
                let pid = try #require(holder)
                kill(pid, SIGKILL)
                try await eventually("another one serves") {
                    text(directory.run + "/started") == "x\nx\n" && FileLock.isHeld(path: directory.logLock)
                }
            }
        }
    }

    /// Who runs `event-log` in this directory, by /proc.
    private func lockHolder(_ directory: StateDirectory) throws -> Int32? {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.first { pid in
            // A process may end while we look at it.
            let line = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline"))) ?? Data()
            return String(decoding: line, as: UTF8.self).contains("serve\0--dir\0\(directory.path)")
        }
    }
}
