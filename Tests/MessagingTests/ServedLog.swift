import EventLog
import Foundation
import Runtime
import Storage
import TestSupport

@testable import Messaging

/// The program `event-log serve` on a state directory of its own.
struct ServedLog {
    let directory: StateDirectory
    let server: ProgramUnderTest

    var scratch: String { directory.spool }
    var files: LogFiles { LogFiles(database: directory.logDatabase) }
    var options: RemoteLogOptions { get throws { RemoteLogOptions(endpoints: try directory.endpoints()) } }

    /// Runs `body` beside it. Afterwards it must end in order, unless it has ended.
    /// - Parameter shell: see `ProgramUnderTest`.
    static func with(
        _ arguments: (StateDirectory) -> [String] = { _ in [] }, shell: ((StateDirectory) -> [String])? = nil,
        prepare: (StateDirectory) throws -> Void = { _ in }, _ body: (ServedLog) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { path in
            let directory = StateDirectory(path: path)
            try directory.prepare()
            try prepare(directory)
            let server = try ProgramUnderTest(
                "event-log", ["serve", "--lifeline", "--dir", path] + arguments(directory), shell: shell?(directory),
                scratch: directory.spool)
            let log = ServedLog(directory: directory, server: server)
            do { try await body(log) } catch {
                server.terminate()
                _ = await server.wait()
                throw error
            }
            server.terminate()
            let answer = await server.wait()
            guard answer.status == 0 else { throw EndedBadly(messages: answer.messages) }
        }
    }

    func store() throws -> RemoteEventStore { RemoteEventStore(try options) }

    /// Appends that many events to a stream in one request of a new session.
    @discardableResult
    func append(_ count: Int, to stream: StreamName, type: EventType = "usage.recorded", bytes: Int = 8) async throws
        -> AppendReceipt
    {
        let store = try store()
        defer { store.close() }
        let session = try await store.openSession(ProducerName("test-\(UUID().uuidString)"))
        let events = (0..<count).map { numbered($0, type: type, bytes: bytes) }
        return try await store.append(session.request(1, StreamAppend(stream, events)))
    }

    /// Runs another command of `event-log` on the same directory.
    func run(_ arguments: String...) async throws -> ProgramAnswer { try await start(arguments, input: "").wait() }

    func start(_ arguments: [String], input: String? = nil) throws -> ProgramUnderTest {
        try ProgramUnderTest("event-log", arguments + ["--dir", directory.path], scratch: scratch, input: input)
    }

    /// How often its metrics say a kind of incident happened.
    func incidents(_ kind: String) throws -> Int {
        let answer = HealthClient.get("/metrics", socket: try directory.healthSocket(stage: "event-log"))
        let line = answer?.body.split(separator: "\n").first {
            $0.hasPrefix("finops_bus_incidents_total") && $0.contains("\"\(kind)\"")
        }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? 0
    }

    /// Waits until an incident is named in its log and counted in its metrics.
    func expectIncident(_ kind: String, times: Int = 1) async throws {
        try await eventually { try incidents(kind) >= times && server.messages.contains("msg=\(kind) ") }
    }
}

struct EndedBadly: Error { let messages: String }
