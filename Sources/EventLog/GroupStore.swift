/// The store as its one server uses it: synchronous, on the server's own thread, whole groups in one commit.
package protocol GroupStore {
    /// As `EventStore.openSession`: fences the producer's earlier sessions at once.
    mutating func openSession(_ producer: ProducerName) throws(StoreError) -> ProducerSession

    /// Writes the requests that are admissible in one commit, in their order, each wholly or not at all, and returns when
    /// it is on disk. A request sees what the ones before it in the group did.
    mutating func append(group: [AppendRequest]) -> GroupOutcome

    /// The last committed position; `.start` when the log is empty.
    var head: Position { get }

    /// Why nothing can be written any more; nil while all is well. Its server ends then: what a failed sync left behind is
    /// known after a restart only.
    var fatalFailure: StoreFailure? { get }
}

/// What became of a group.
package struct GroupOutcome: Sendable {
    /// One for each request, in order.
    package var results: [Result<AppendReceipt, StoreError>]
    /// The events now in the log, in position order, each in the form of `EventCodec`: what is published.
    package var committed: [UInt8]
    /// Events in `committed`.
    package var committedCount: Int
    /// Position of the first committed event; meaningless when there is none.
    package var first: Position

    package init(results: [Result<AppendReceipt, StoreError>], committed: [UInt8], committedCount: Int, first: Position)
    {
        self.results = results
        self.committed = committed
        self.committedCount = committedCount
        self.first = first
    }
}
