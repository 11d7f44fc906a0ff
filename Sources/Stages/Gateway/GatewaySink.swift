package import EventLog
package import FinOps

/// An event that a gateway goes by.
package struct GatewayEvent: Sendable {
    package let recorded: RecordedEvent
    package let event: FinOpsEvent

    package init(recorded: RecordedEvent, event: FinOpsEvent) {
        self.recorded = recorded
        self.event = event
    }
}

/// A decision about a key that is in force now.
package struct KeyEnforcement: Sendable {
    package let fact: WireKeyDisablementEnforced
    /// The decision, where it is at hand.
    package let cause: EventID?

    package init(fact: WireKeyDisablementEnforced, cause: EventID? = nil) {
        self.fact = fact
        self.cause = cause
    }
}

/// What a gateway admits calls by. Its calls come one after another; what they change is under the lock that admits.
package protocol GatewaySink: Sendable {
    /// - Returns: what an event says, if this gateway made it and still has it; nil: it has to be read.
    func known(_ recorded: RecordedEvent) -> FinOpsEvent?
    /// Takes events in, in the log's order.
    /// - Parameter position: everything up to here has been looked at.
    /// - Returns: the disablements that are in force from now on.
    func apply(_ events: [GatewayEvent], through position: Position) -> [KeyEnforcement]
    /// All that `apply` has built, for `restore`.
    func snapshot() -> [UInt8]
    /// Takes the place of everything so far.
    /// - Throws: when another version wrote these bytes: then the log is read from its beginning.
    func restore(_ bytes: [UInt8]) throws
}
