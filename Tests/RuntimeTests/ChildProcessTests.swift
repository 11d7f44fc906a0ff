import Foundation
import Runtime
import Testing

@Suite struct ChildProcessTests {
    private func shell(_ script: String, hasLifeline: Bool = false) throws -> ChildProcess {
        try ChildProcess(.init(path: "/bin/sh", arguments: ["-c", script], hasLifeline: hasLifeline))
    }

    @Test func theWayOfEndingIsTold() async throws {
        #expect(await (try shell("exit 75")).waitForExit() == .exited(75))
        #expect(await (try shell("kill -9 $$")).waitForExit() == .signalled(9))
        let ended = try shell("true")
        #expect(await ended.waitForExit().isSuccess)
        #expect(await ended.waitForExit().isSuccess)
        ended.send(SIGKILL)
    }

    @Test func theEndOfTheLifelineIsTheEndOfStandardInput() async throws {
        let child = try shell("cat > /dev/null; exit 3", hasLifeline: true)
        #expect(child.exit == nil)
        child.closeLifeline()
        #expect(await child.waitForExit() == .exited(3))
    }

    @Test func oneChildDoesNotHoldTheLifelineOfAnother() async throws {
        let first = try shell("cat > /dev/null", hasLifeline: true)
        let second = try shell("cat > /dev/null", hasLifeline: true)
        first.closeLifeline()
        #expect(await first.waitForExit().isSuccess)
        #expect(second.exit == nil)
        _ = await second.stop()
    }

    @Test func signalsThatWeIgnoreAreNotIgnoredByAChild() async throws {
        let before = signal(SIGTERM, SIG_IGN)
        defer { signal(SIGTERM, before) }
        let child = try shell("sleep 60")
        child.send(SIGTERM)
        #expect(await child.waitForExit() == .signalled(SIGTERM))
    }

    @Test func whatCannotBeStartedIsAnError() {
        #expect(throws: SystemError.self) { try ChildProcess(.init(path: "/no/such/program", arguments: [])) }
    }
}
