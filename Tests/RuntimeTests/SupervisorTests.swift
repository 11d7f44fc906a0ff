import EventLog
import Foundation
@testable import Runtime
import Testing

@Suite struct SupervisorTests {
    /// A pipeline of shell scripts in a directory, supervised while `body` runs.
    private func supervised(
        _ processes: [Topology.Process], in directory: StateDirectory,
        _ body: (Supervisor, Told<SupervisionFact>) async throws -> Void
    ) async throws {
        var topology = Topology(file: "test")
        topology.processes = processes
        let facts = Told<SupervisionFact>()
        let supervisor = Supervisor(
            topology,
            .init(
                directory: directory, programs: ProgramLocator(directory: "/bin"), clock: .real,
                environment: ProcessInfo.processInfo.environment, line: { _, _ in }, record: { facts.add($0) }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await supervisor.run() }
            do { try await body(supervisor, facts) } catch {
                await supervisor.stop()
                throw error
            }
            await supervisor.stop()
            try await group.waitForAll()
        }
    }

    private func process(_ name: String, _ script: String, after: [String] = []) -> Topology.Process {
        var process = Topology.Process(name: name, command: ["sh", "-c", script])
        process.readiness = .started
        process.after = after
        return process
    }

    private static let waits = "trap 'exit 0' TERM; while :; do sleep 0.02; done"

    @Test func everythingIsStartedInOrderAndStoppedInReverse() async throws {
        try await withStateDirectory { directory in
            let processes = [process("b", Self.waits, after: ["a"]), process("a", Self.waits)]
            let told = Told<Told<SupervisionFact>>()
            try await supervised(processes, in: directory) { supervisor, facts in
                told.add(facts)
                try await eventually("both are ready") {
                    await supervisor.board.entries.allSatisfy { $0.state == .ready }
                }
                #expect(facts.all.map(\.process) == ["a", "b"])
            }
            let ends = told.all[0].all.dropFirst(2)
            // The news of the last level is given before it is stopped, so both ends are there, b's first or together.
            #expect(Set(ends.map(\.process)) == ["a", "b"])
            for end in ends {
                guard case .exited(_, let expected) = end.what else { continue }
                #expect(expected)
            }
            #expect(ProcessBoard.load(from: directory)?.entries.map(\.state) == [.stopped, .stopped])
        }
    }

    @Test func aProcessThatEndsIsStartedAgain() async throws {
        try await withStateDirectory { directory in
            let count = directory.run + "/count"
            let script = "echo x >> \(count); [ $(wc -l < \(count)) -ge 3 ] || exit 7; \(Self.waits)"
            try await supervised([process("flaky", script)], in: directory) { supervisor, facts in
                try await eventually("it stays up") {
                    let entry = await supervisor.board["flaky"]
                    return entry?.restarts == 2 && entry?.state == .ready
                }
                #expect(await supervisor.board["flaky"]?.lastExit == "exit 7")
                let exits = facts.all.filter { $0.what == .exited(outcome: "exit 7", expected: false) }
                #expect(exits.count == 2)
            }
        }
    }

    @Test(.enabled(if: python3IsThere, "needs python3"))
    func aProcessSaysItselfWhenItIsReady() async throws {
        try await withStateDirectory { directory in
            let script = """
                import os, socket, sys, time
                time.sleep(0.05)
                s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                s.sendto(b"STATUS=up\\nREADY=1", os.environ["NOTIFY_SOCKET"])
                sys.stdin.read()
                """
            var process = Topology.Process(name: "speaks", command: ["/usr/bin/python3", "-c", script])
            process.readiness = .notify
            try await supervised([process], in: directory) { supervisor, _ in
                try await eventually("it is ready") { await supervisor.board["speaks"]?.state == .ready }
            }
        }
    }

    @Test func aProcessThatNeitherListensNorEndsIsKilledInTime() async throws {
        try await withStateDirectory { directory in
            let stubborn = process(
                "stubborn", "trap '' TERM; echo up > \(directory.run)/up; while :; do sleep 0.05; done")
            var start = ContinuousClock.now
            try await supervised([stubborn], in: directory) { _, _ in
                try await eventually("its trap is set") {
                    FileManager.default.fileExists(atPath: directory.run + "/up")
                }
                start = .now
            }
            #expect(ContinuousClock.now - start < .seconds(25))
            #expect(ProcessBoard.load(from: directory)?["stubborn"]?.lastExit == "signal 9")
        }
    }

    @Test func aProgramThatIsMissingIsTriedAgainAndNamed() async throws {
        try await withStateDirectory { directory in
            try await supervised(
                [Topology.Process(name: "gone", command: ["no-such-program"])], in: directory
            ) { supervisor, _ in
                try await eventually("it was tried again") { await supervisor.board["gone"]?.restarts ?? 0 >= 2 }
                #expect(await supervisor.board["gone"]?.lastExit?.contains("no-such-program") == true)
            }
        }
    }

    @Test func waitingGetsLongerNeverGivesUpAndBeginsAnew() {
        var backoff = RestartBackoff()
        #expect(backoff.ended(readyFor: nil) == .milliseconds(100))
        #expect(backoff.ended(readyFor: .milliseconds(900)) == .milliseconds(200))
        for _ in 0..<100 { _ = backoff.ended(readyFor: nil) }
        #expect(backoff.ended(readyFor: nil) == RestartBackoff.longest)
        #expect(backoff.ended(readyFor: .seconds(1)) == .milliseconds(100))
    }

    @Test func uptimeIsThePartOfTheWindowSpentReady() {
        var uptime = Uptime(window: Timestamp(seconds: 1_000)..<Timestamp(seconds: 2_000))
        #expect(uptime.ratio == nil)
        uptime.changed(isUp: true, at: Timestamp(seconds: 500))
        uptime.changed(isUp: false, at: Timestamp(seconds: 1_100))
        uptime.changed(isUp: true, at: Timestamp(seconds: 1_200))
        #expect(uptime.ratio == 0.9)
        var young = Uptime(window: Timestamp(seconds: 1_000)..<Timestamp(seconds: 2_000))
        young.changed(isUp: true, at: Timestamp(seconds: 1_500))
        #expect(young.ratio == 1)
    }

    @Test func uptimeByAnotherClockDoesNotCount() {
        var uptime = Uptime(window: Timestamp(seconds: 1_000)..<Timestamp(seconds: 2_000))
        // Real time first, then a demo whose clock begins months before.
        uptime.changed(isUp: true, at: Timestamp(seconds: 9_000_000))
        uptime.changed(isUp: true, at: Timestamp(seconds: 1_500))
        uptime.changed(isUp: false, at: Timestamp(seconds: 1_750))
        #expect(uptime.ratio == 0.5)
    }
}
