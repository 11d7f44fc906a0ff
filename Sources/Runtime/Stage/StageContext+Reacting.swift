package import EventLog
package import Messaging
import ServiceLifecycle

extension StageContext {
    /// What a reactor works with: the log over the bus, read in its file where that is on this machine.
    package struct ReactorLog: Sendable {
        /// Where it appends.
        package let store: RemoteEventStore
        /// Where it reads.
        package let reader: any EventReader
        /// What the log tells it.
        package let subscriptions: LiveSubscription
    }

    /// Runs a reactor until the program is asked to stop. That ends it where it is: what was under way is in the log, or will
    /// be done again.
    /// - Parameter file: reads the log's file, for where there is one.
    /// - Throws: what `body` throws, unless that is because of being stopped.
    package func react(
        reading file: any EventReader, _ body: @escaping @Sendable (ReactorLog) async throws -> Void
    ) async throws {
        let store = RemoteEventStore(link.options, reader: link.isElsewhere ? nil : file)
        defer { store.close() }
        let reader: any EventReader = link.isElsewhere ? store : file
        let log = ReactorLog(
            store: store, reader: reader, subscriptions: LiveSubscription(link.options, reader: reader))
        try await cancelWhenGracefulShutdown {
            do { try await body(log) } catch  where Task.isCancelled { return }
        }
    }
}
