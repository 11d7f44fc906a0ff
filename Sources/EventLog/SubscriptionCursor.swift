/// What to do with a published event. Pure, so that a seeded test can drop, repeat and reorder the wire.
package struct SubscriptionCursor: Equatable, Sendable {
    /// The last position handed on.
    package private(set) var handled: Position

    /// What follows from an arriving position.
    package enum Step: Equatable, Sendable {
        /// It is the next one.
        case handle
        /// It was handled before: the wire repeats, and so does a read.
        case ignore
        /// Something before it is missing; read the log from here.
        case catchUp(after: Position)
    }

    package init(after position: Position) { handled = position }

    /// Decides; changes nothing.
    package func step(for arriving: Position) -> Step {
        if arriving <= handled { return .ignore }
        if arriving == handled.next { return .handle }
        return .catchUp(after: handled)  // The missing events are in the log; the wire will not send them again.
    }

    /// Whether a head told by a heartbeat shows that something was missed.
    package func isBehind(head: Position) -> Bool { handled < head }

    /// Notes that everything up to here has been handled.
    package mutating func advance(to position: Position) {
        precondition(position >= handled, "a cursor only moves forward")
        handled = position
    }
}
