import EventLog
import Foundation
import Messaging
import Synchronization
import TestSupport

/// A log server on ipc sockets in a directory of its own, over a store in memory.
struct RunningLog: Sendable {
    let server: LogServer<InMemoryGroupStore>
    let store: InMemoryGroupStore
    let endpoints: LogEndpoints
    let remote: LogEndpoints?
    let incidents: Incidents

    var options: RemoteLogOptions { RemoteLogOptions(endpoints: endpoints) }

    /// Runs `body` beside a server and stops the server afterwards.
    static func with(
        store: InMemoryGroupStore = .fresh(), reader: (any EventReader)? = nil, directory: URL? = nil,
        configure: (inout LogServerOptions) -> Void = { _ in },
        _ body: @escaping @Sendable (RunningLog) async throws -> Void
    ) async throws {
        let own = directory == nil ? try makeSocketDirectory() : nil
        defer { if let own { try? FileManager.default.removeItem(at: own) } }  // a leftover in /tmp harms nobody
        var options = LogServerOptions(local: .inside(directory ?? own!))
        options.heartbeatMilliseconds = 100
        configure(&options)
        let incidents = Incidents()
        let server = LogServer(options, reader: reader ?? store, onIncident: incidents.record) {
            () throws(StoreError) in store
        }
        let (ready, signal) = AsyncStream.makeStream(of: [LogEndpoints].self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { signal.finish() }
                try await server.run { signal.yield($0) }
            }
            if let endpoints = await ready.first(where: { _ in true }) {
                let log = RunningLog(
                    server: server, store: store, endpoints: endpoints[0],
                    remote: endpoints.count > 1 ? endpoints[1] : nil, incidents: incidents)
                let result = await Result.of { try await body(log) }
                server.stop()
                try await group.waitForAll()
                try result.get()
            } else {
                try await group.waitForAll()
            }
        }
    }

    static func makeSocketDirectory() throws -> URL {
        let directory = URL(fileURLWithPath: "/tmp/flog-\(UUID().uuidString.prefix(13))")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return directory
    }
}

extension LogEndpoints {
    static func inside(_ directory: URL) -> LogEndpoints {
        LogEndpoints(requests: "ipc://\(directory.path)/r.sock", events: "ipc://\(directory.path)/e.sock")
    }
}

extension InMemoryGroupStore {
    static func fresh(knownTypes: Set<EventType>? = nil) -> InMemoryGroupStore {
        InMemoryGroupStore(knownTypes: knownTypes) { Timestamp(seconds: 1_800_000_000) }
    }
}

extension Result where Failure == any Error, Success == Void {
    static func of(_ body: () async throws -> Void) async -> Self {
        do {
            try await body()
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}

/// Keeps what a server reports.
final class Incidents: Sendable {
    private let all = Mutex<[WireIncident]>([])

    var record: IncidentHandler { { incident in self.all.withLock { $0.append(incident) } } }
    var names: [String] { all.withLock { $0.map(\.name) } }
}

/// An event whose payload tells its number.
func numbered(_ number: Int, type: EventType = "usage.recorded", bytes: Int = 8) -> NewEvent {
    var payload = [UInt8](repeating: 0x61, count: max(bytes, 8))
    withUnsafeBytes(of: UInt64(number).littleEndian) { payload.replaceSubrange(0..<8, with: $0) }
    return NewEvent(
        id: EventID(high: 1, low: UInt64(number) + 1), type: type, occurred: Timestamp(seconds: 1_799_999_999),
        actor: "tester", payload: payload)
}

extension ProducerSession {
    func request(_ sequence: UInt64, _ streams: StreamAppend...) -> AppendRequest {
        AppendRequest(session: self, sequence: sequence, streams)
    }
}

/// Awaits a condition that another thread brings about.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime() }
        try await Task.sleep(for: .milliseconds(5))
    }
}

struct NotInTime: Error {}
