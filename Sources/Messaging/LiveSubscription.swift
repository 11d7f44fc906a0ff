package import EventLog
import ZeroMQ

/// Subscriptions over the bus. In order, no gap, no repeat, whatever the wire drops: it listens first, then reads from
/// the checkpoint, then follows the wire, and reads again whenever something is missing or a heartbeat says so.
///
/// The consumer pulls: nothing is read ahead of it beyond one batch, and what the wire brings meanwhile is bounded.
package struct LiveSubscription: EventSubscribing {
    private let options: RemoteLogOptions
    private let reader: any EventReader
    private let onIncident: IncidentHandler

    /// - Parameters:
    ///   - reader: where missing events are read: the file itself, or the log over the bus.
    ///   - onIncident: told of what was lost or turned away on the way.
    package init(
        _ options: RemoteLogOptions, reader: any EventReader, onIncident: @escaping IncidentHandler = { _ in }
    ) {
        self.options = options
        self.reader = reader
        self.onIncident = onIncident
    }

    /// Ends with an error only for what waiting cannot mend: a wrong endpoint, or a log that ends before `position`.
    package func subscribe(after position: Position, types: Set<EventType>?) -> AsyncThrowingStream<
        SubscriptionBatch, any Error
    > {
        let inbox = SubscriptionInbox(limitBytes: options.bufferedBytes)
        // It listens before the first read, so that nothing falls between the two.
        SubscriptionListener.start(options, inbox, onIncident)
        let machine = SubscriptionMachine(after: position, types: types, batchEvents: options.batchEvents)
        let puller = SubscriptionPuller(machine, inbox, reader, batchEvents: options.batchEvents, onIncident)
        return AsyncThrowingStream { try await puller.next() }
    }
}
