package import EventLog
package import FinOps

/// The last calls that a gateway has kept, until the log sends them back: what it wrote itself it need not read.
package struct OwnCalls: Sendable {
    private struct Kept {
        let payload: [UInt8]
        let call: WireCallRecorded
    }

    /// Far more than come in the time that the log takes. What is older is read like any other.
    package static let kept = 2_048

    private var calls: [EventID: Kept] = [:]
    private var order: [EventID] = []
    private var next = 0

    package init() {}

    /// - Parameter event: made of the call.
    package mutating func add(_ call: WireCallRecorded, as event: NewEvent) {
        calls[event.id] = Kept(payload: event.payload, call: call)
        if order.count < Self.kept { return order.append(event.id) }
        calls[order[next]] = nil
        order[next] = event.id
        next = (next + 1) % Self.kept
    }

    /// - Returns: the call, if it is one of them, byte for byte, and was not asked for before.
    package mutating func take(_ recorded: RecordedEvent) -> FinOpsEvent? {
        guard let kept = calls.removeValue(forKey: recorded.event.id), kept.payload == recorded.payload else {
            return nil
        }
        return .callRecorded(kept.call)
    }
}
