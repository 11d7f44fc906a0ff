package import EventLog

/// An event with who caused it and when: for deciders to whom that matters, such as approvals by a second person.
package struct ActedEvent: Equatable, Sendable {
    package let event: FinOpsEvent
    /// Opaque id of a person.
    package let actor: String
    package let at: Timestamp

    package init(_ event: FinOpsEvent, by actor: String, at: Timestamp) {
        self.event = event
        self.actor = actor
        self.at = at
    }
}
