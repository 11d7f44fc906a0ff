package import EventLog
import Digest

/// Ids of events that must be recognised when they are decided again: a version-5 UUID of the stream, the type and the
/// content, so that a repeated decision gives the same events, and different content never the same id.
package enum NaturalKey {
    private static let namespace: (high: UInt64, low: UInt64) = (0x8F1D_0E5B_3C5A_4E63, 0x9B1C_6A57_2D40_F00D)

    /// The same for the same content in the same stream, and for nothing else.
    package static func id(stream: StreamName, type: EventType, payload: [UInt8]) -> EventID {
        let name = "\(stream)\n\(type)\n" + hexText(SHA256.hash(payload))
        let (high, low) = nameBasedUUID(namespace: namespace, name: name)
        return EventID(high: high, low: low)
    }
}

extension FinOpsEvent {
    /// The event as the log takes it, with the id of its natural key in that stream.
    package func newEvent(
        in stream: StreamName, occurred: Timestamp, causation: EventID? = nil, correlation: EventID? = nil,
        actor: String = ""
    ) -> NewEvent {
        let event = newEvent(
            id: .none, occurred: occurred, causation: causation, correlation: correlation, actor: actor)
        var named = event
        named.id = NaturalKey.id(stream: stream, type: event.type, payload: event.payload)
        return named
    }
}
