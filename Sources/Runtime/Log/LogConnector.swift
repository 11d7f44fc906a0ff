package import EventLog

/// A store in another process, and how to let go of it.
package struct LogConnection: Sendable {
    package var store: any EventStore
    package var close: @Sendable () async -> Void

    package init(store: any EventStore, close: @escaping @Sendable () async -> Void) {
        self.store = store
        self.close = close
    }
}

/// How a program reaches a running `event-log`.
package struct LogConnector: Sendable {
    package var connect: @Sendable (StateDirectory) async throws -> LogConnection

    package init(connect: @escaping @Sendable (StateDirectory) async throws -> LogConnection) { self.connect = connect }
}
