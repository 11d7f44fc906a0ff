package import EventLog
import Messaging
import Storage

/// The kinds of store that must keep the laws of `EventStoreConformance`.
package enum StoreUnderTest: String, CaseIterable, Sendable {
    case memory
    case sqlite
    /// SQLite behind a log server, over ipc.
    case remote

    /// Gives the body an empty store of this kind, and removes every trace of it afterwards.
    /// - Parameter knownTypes: types it accepts; nil for all.
    package func withStore<Value>(
        knownTypes: Set<EventType>? = nil, clock: TickingClock = TickingClock(),
        isolation: isolated (any Actor)? = #isolation, _ body: (any EventStore) async throws -> Value
    ) async throws -> Value {
        switch self {
        case .memory:
            return try await body(InMemoryEventStore(knownTypes: knownTypes, now: clock.now))
        case .sqlite:
            return try await withTemporaryDirectory { directory in
                let files = LogFiles(database: directory + "/events.db")
                return try await body(SQLiteEventStore(files: files, knownTypes: knownTypes, now: clock.now))
            }
        case .remote:
            return try await withTemporaryDirectory { directory in
                let files = LogFiles(database: directory + "/events.db")
                let now = clock.now
                return try await withLogServer(in: directory, reader: SQLiteEventReader(files: files)) {
                    () throws(StoreError) in
                    try SQLiteLog(files: files, knownTypes: knownTypes, now: now)
                } body: {
                    try await body($0)
                }
            }
        }
    }
}

/// Runs a log server on ipc sockets in `directory`, and gives the body a store that reaches it.
package func withLogServer<Store: GroupStore & SendableMetatype, Value>(
    in directory: String, reader: any EventReader, isolation: isolated (any Actor)? = #isolation,
    openStore: @escaping @Sendable () throws(StoreError) -> Store,
    body: (any EventStore) async throws -> Value
) async throws -> Value {
    let endpoints = LogEndpoints(requests: "ipc://\(directory)/r.sock", events: "ipc://\(directory)/e.sock")
    let server = LogServer(LogServerOptions(local: endpoints), reader: reader, openStore: openStore)
    let serving = Task { try await server.run() }
    let remote = RemoteEventStore(RemoteLogOptions(endpoints: endpoints))
    let result: Result<Value, any Error>
    do { result = .success(try await body(remote)) } catch { result = .failure(error) }
    remote.close()
    server.stop()
    try await serving.value
    return try result.get()
}
