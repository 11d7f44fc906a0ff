/// The pattern of every stream: fold events into a state, turn a command into further events or a rejection.
/// Pure: no clock, no randomness, no I/O; time and ids come in with the command.
package protocol Decider {
    associatedtype State: Sendable
    associatedtype Event: Sendable
    associatedtype Command: Sendable
    associatedtype Rejection: Error

    /// Of a stream without events.
    static var initialState: State { get }
    /// Takes one event in. It cannot fail: history already happened.
    static func evolve(_ state: inout State, _ event: Event)
    /// - Returns: the events that follow, in order; none when nothing changes.
    /// - Throws: the rejection, which is an answer: nothing follows then.
    static func decide(_ command: Command, _ state: State) throws(Rejection) -> [Event]
}

extension Decider {
    /// The state after these events.
    package static func fold(_ events: some Sequence<Event>) -> State {
        events.reduce(into: initialState) { evolve(&$0, $1) }
    }
}
