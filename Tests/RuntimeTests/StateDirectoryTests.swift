import ArgumentParser
import Foundation
import Messaging
@testable import Runtime
import Testing

@Suite struct StateDirectoryTests {
    @Test func preparingTwiceChangesNothingAndClosesWhatIsOpen() async throws {
        try await withStateDirectory { directory in
            #expect(directory.permissionProblems() == [])
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.keys)
            #expect(directory.permissionProblems() == ["\(directory.keys) has mode 755, more than 700"])
            try directory.prepare()
            #expect(directory.permissionProblems() == [])
            try directory.checkInitialised()
        }
    }

    @Test func aPartOnAnotherDiskIsJudgedByWhatTheSymlinkLeadsTo() async throws {
        try await withStateDirectory { directory in
            let elsewhere = directory.path + "/elsewhere"
            try FileManager.default.removeItem(atPath: directory.logDirectory)
            try FileManager.default.createDirectory(
                atPath: elsewhere, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            try FileManager.default.createSymbolicLink(
                atPath: directory.logDirectory, withDestinationPath: elsewhere)
            try directory.checkInitialised()
            try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: elsewhere)
            #expect(directory.permissionProblems() == ["\(directory.logDirectory) has mode 750, more than 700"])
            try directory.prepare()
            try directory.checkInitialised()
        }
    }

    @Test func aDirectoryThatWasNeverMadeSaysWhatMendsIt() {
        let directory = StateDirectory(path: "/nonexistent/finops")
        #expect(throws: CommandFailure.self) { try directory.checkInitialised() }
    }

    @Test func aPathTooLongForASocketGetsAShortDirectoryThatEverybodyFinds() async throws {
        try await withStateDirectory { parent in
            let long = StateDirectory(path: parent.path + "/" + String(repeating: "deep", count: 20))
            try long.prepare()
            let sockets = try long.socketDirectory()
            defer { do { try FileManager.default.removeItem(atPath: sockets) } catch { Issue.record(error) } }
            #expect(sockets != long.run)
            #expect(try long.healthSocket(stage: "threshold-watcher").utf8.count <= 107)
            #expect(try long.socketDirectory() == sockets)
            #expect(try String(contentsOfFile: long.run + "/sockets", encoding: .utf8) == sockets)
            #expect(try long.endpoints().requests == "ipc://\(sockets)/log-requests.sock")
        }
    }

    @Test func withoutADirectoryTheCommandLineIsWrong() throws {
        let options = try GlobalOptions.parse([])
        #expect(throws: CommandFailure(.usage, "no state directory: give --dir D or set FINOPS_HOME")) {
            try options.stateDirectory(environment: [:])
        }
        #expect(try options.stateDirectory(environment: ["FINOPS_HOME": "/a/b/"]).path == "/a/b")
        #expect(
            try GlobalOptions.parse(["--dir", "/c"]).stateDirectory(environment: ["FINOPS_HOME": "/a"]).path == "/c")
    }

    @Test func onlyOneHoldsALock() async throws {
        try await withStateDirectory { directory in
            let path = directory.supervisorLock
            #expect(!FileLock.isHeld(path: path))
            let first = try FileLock(path: path)
            #expect(first != nil)
            #expect(try FileLock(path: path) == nil)
            #expect(FileLock.isHeld(path: path))
            withExtendedLifetime(first) {}
        }
    }
}
