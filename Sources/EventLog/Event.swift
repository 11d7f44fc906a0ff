/// A fact about to be appended. The payload is Protocol Buffers; the log never looks into it.
package struct NewEvent: Hashable, Sendable {
    /// Never `EventID.none`. The log does not look for repeated ids: sequences and expected versions do that.
    package var id: EventID
    /// A log that keeps a list of types refuses any other.
    package var type: EventType
    /// Version of the type's schema, from 1.
    package var schema: UInt16
    /// When it happened by the clock of whoever saw it; the log adds its own time when it records the event.
    package var occurred: Timestamp
    /// The event that this one answers; nil for what nothing in the log caused.
    package var causation: EventID?
    /// What all events of one piece of work share; nil for none.
    package var correlation: EventID?
    /// An opaque id of the person or program that caused it; never a name or an address.
    package var actor: String
    /// At most `EventLimits.payloadBytes`; empty is allowed.
    package var payload: [UInt8]

    package init(
        id: EventID, type: EventType, schema: UInt16 = 1, occurred: Timestamp, causation: EventID? = nil,
        correlation: EventID? = nil, actor: String = "", payload: [UInt8]
    ) {
        self.id = id
        self.type = type
        self.schema = schema
        self.occurred = occurred
        self.causation = causation
        self.correlation = correlation
        self.actor = actor
        self.payload = payload
    }
}

/// A fact in the log: the event with the place the log gave it.
package struct RecordedEvent: Hashable, Sendable {
    package var position: Position
    package var stream: StreamName
    /// Its place in its stream, from 1.
    package var version: StreamVersion
    /// By the log's clock; the log on disk never lets it go back.
    package var recorded: Timestamp
    package var producer: ProducerName
    /// The sequence of the request that brought it: events of one request share it.
    package var producerSequence: UInt64
    package var event: NewEvent

    package init(
        position: Position, stream: StreamName, version: StreamVersion, recorded: Timestamp, producer: ProducerName,
        producerSequence: UInt64, event: NewEvent
    ) {
        self.position = position
        self.stream = stream
        self.version = version
        self.recorded = recorded
        self.producer = producer
        self.producerSequence = producerSequence
        self.event = event
    }

    package var type: EventType { event.type }
    package var payload: [UInt8] { event.payload }
}
