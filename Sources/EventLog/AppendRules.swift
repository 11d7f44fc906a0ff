/// The rules of an append that need no storage, written once for every store.
package enum AppendRules {
    /// Checks form and bounds.
    /// - Parameter knownTypes: the types the program has told the log about; nil accepts all.
    package static func validate(_ request: AppendRequest, knownTypes: Set<EventType>?) throws(AppendRefusal) {
        try validate(producer: request.producer)
        guard request.sequence > 0 else {
            throw .malformed(field: "sequence", reason: "0 is reserved for \"nothing appended yet\"; begin with 1")
        }
        guard request.eventCount <= EventLimits.requestEvents else {
            throw .tooLarge(what: "events in a request", size: request.eventCount, limit: EventLimits.requestEvents)
        }
        var bytes = 0
        for append in request.streams {
            try validateName(append.stream.text, field: "stream")
            for event in append.events {
                try validate(event, knownTypes: knownTypes)
                bytes += event.payload.count
            }
        }
        guard bytes <= EventLimits.requestBytes else {
            throw .tooLarge(what: "bytes of a request", size: bytes, limit: EventLimits.requestBytes)
        }
    }

    /// - Throws: `AppendRefusal` for a producer's name that the log does not hold.
    package static func validate(producer: ProducerName) throws(AppendRefusal) {
        try validateName(producer.text, field: "producer")
    }

    private static func validate(_ event: NewEvent, knownTypes: Set<EventType>?) throws(AppendRefusal) {
        try validateName(event.type.text, field: "type")
        guard event.actor.utf8.count <= EventLimits.nameBytes else {
            throw .tooLarge(what: "bytes of an actor", size: event.actor.utf8.count, limit: EventLimits.nameBytes)
        }
        guard event.payload.count <= EventLimits.payloadBytes else {
            throw .tooLarge(what: "bytes of a payload", size: event.payload.count, limit: EventLimits.payloadBytes)
        }
        guard event.id != .none else { throw .malformed(field: "id", reason: "the nil UUID is not an identity") }
        guard event.schema > 0 else { throw .malformed(field: "schema", reason: "schema versions begin with 1") }
        if let knownTypes, !knownTypes.contains(event.type) { throw .unknownType(event.type) }
    }

    private static func validateName(_ name: String, field: String) throws(AppendRefusal) {
        guard !name.isEmpty else { throw .malformed(field: field, reason: "is empty") }
        guard name.utf8.count <= EventLimits.nameBytes else {
            throw .tooLarge(what: "bytes of a \(field)", size: name.utf8.count, limit: EventLimits.nameBytes)
        }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw .malformed(field: field, reason: "contains a control character")
        }
    }

    /// What a request's sequence means, given what the log holds of its producer.
    package enum Admission: Equatable { case write, repeatAnswer }

    /// - Parameter epoch: of the producer's last session; 0 if it never opened one, which admits nothing.
    /// - Parameter sameContent: whether the request equals the one written under `last`; asked only for a repeat.
    package static func admit(
        _ request: AppendRequest, epoch: UInt64, last: UInt64, sameContent: () -> Bool
    ) throws(AppendRefusal) -> Admission {
        guard epoch > 0, request.epoch == epoch else {
            throw .fenced(producer: request.producer, epoch: request.epoch, current: epoch)
        }
        if request.sequence > last { return .write }
        if request.sequence == last, sameContent() { return .repeatAnswer }
        throw .sequenceReused(producer: request.producer, sequence: request.sequence, last: last)
    }

    /// Checks every stream of a request against its expected version; a stream named twice counts what the request
    /// itself adds.
    /// - Returns: the version of each stream after the request.
    package static func checkVersions(
        _ request: AppendRequest, current: (StreamName) throws(StoreError) -> StreamVersion
    ) throws(StoreError) -> [StreamName: StreamVersion] {
        var versions: [StreamName: StreamVersion] = [:]
        for append in request.streams {
            let actual = if let known = versions[append.stream] { known } else { try current(append.stream) }
            guard append.expected.allows(actual) else {
                throw .refused(.conflict(stream: append.stream, expected: append.expected, actual: actual))
            }
            versions[append.stream] = StreamVersion(actual.value + UInt64(append.events.count))
        }
        return versions
    }
}
