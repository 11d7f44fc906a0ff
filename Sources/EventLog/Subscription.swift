/// A live, ordered view of the log. The promise: in order, no gap, no repeat, whatever the wire drops.
package protocol EventSubscribing: Sendable {
    /// Everything after `position`, first from the log, then as it happens. It ends when its task is cancelled; a wire or
    /// log that is away for a while only delays it.
    /// - Parameter types: only these are handed on (filtered after the order check); nil for all.
    func subscribe(after position: Position, types: Set<EventType>?) -> AsyncThrowingStream<
        SubscriptionBatch, any Error
    >
}

/// Some events in order, and how far the log has been looked at with them.
package struct SubscriptionBatch: Hashable, Sendable {
    /// Empty when the filter let nothing through and only `scannedThrough` moved.
    package var events: [RecordedEvent]
    /// Everything up to here has been handed on or filtered out: a consumer's next checkpoint.
    package var scannedThrough: Position
    /// The log's head as far as known: lag is `head − scannedThrough`.
    package var head: Position

    package init(events: [RecordedEvent], scannedThrough: Position, head: Position) {
        self.events = events
        self.scannedThrough = scannedThrough
        self.head = head
    }
}
