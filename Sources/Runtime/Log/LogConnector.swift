package import EventLog
import Messaging

/// A store in another process, and how to let go of it.
package struct LogConnection: Sendable {
    package var store: any EventStore
    /// Call it once, when the store is no longer used: it ends the thread behind it.
    package var close: @Sendable () async -> Void

    package init(store: any EventStore, close: @escaping @Sendable () async -> Void) {
        self.store = store
        self.close = close
    }
}

/// How a one-shot command reaches a running `event-log`.
package struct LogConnector: Sendable {
    /// Throws where the log cannot be named; whether it answers shows with the first call.
    package var connect: @Sendable (StateDirectory) async throws -> LogConnection

    package init(connect: @escaping @Sendable (StateDirectory) async throws -> LogConnection) { self.connect = connect }

    /// Over the directory's sockets, for appends and reads alike.
    package static let remote = LogConnector { try LogConnection(remote: $0, reader: nil) }

    /// Over the directory's sockets, with reads from elsewhere, such as the log's file itself.
    package static func remote(
        reader: @escaping @Sendable (StateDirectory) throws -> any EventReader
    ) -> LogConnector {
        LogConnector { try LogConnection(remote: $0, reader: try reader($0)) }
    }
}

extension LogConnection {
    /// A log that vanishes is back within this time, because the keeper starts it again.
    private static let attemptMilliseconds: Int64 = 500

    fileprivate init(remote directory: StateDirectory, reader: (any EventReader)?) throws {
        let link = try LogLink.of(directory)
        var options = link.options
        options.attemptMilliseconds = Self.attemptMilliseconds
        let store = RemoteEventStore(options, reader: link.isElsewhere ? nil : reader)
        self.init(store: store) { store.close() }
    }
}
