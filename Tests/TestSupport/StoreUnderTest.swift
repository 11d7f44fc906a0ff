package import EventLog
import Storage

/// The kinds of store that must keep the laws of `EventStoreConformance`.
package enum StoreUnderTest: String, CaseIterable, Sendable {
    case memory
    case sqlite

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
        }
    }
}
