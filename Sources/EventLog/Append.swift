/// What the writer believes about a stream before its append.
package enum ExpectedVersion: Hashable, Sendable {
    /// Nothing is believed: the append never conflicts.
    case any
    /// The stream has no events yet: for what may happen once.
    case noStream
    /// The stream has at least one event.
    case streamExists
    /// The stream has this many events; `.exactly(.none)` means the same as `noStream`.
    case exactly(StreamVersion)

    /// Whether a stream that stands at `actual` may be appended to.
    package func allows(_ actual: StreamVersion) -> Bool {
        switch self {
        case .any: true
        case .noStream: actual == .none
        case .streamExists: actual != .none
        case .exactly(let version): actual == version
        }
    }
}

/// Events for one stream, with what the writer believes about it.
package struct StreamAppend: Hashable, Sendable {
    package var stream: StreamName
    package var expected: ExpectedVersion
    /// In the order of their versions. The same stream may be named again later in a request.
    package var events: [NewEvent]

    package init(_ stream: StreamName, expected: ExpectedVersion = .any, _ events: [NewEvent]) {
        self.stream = stream
        self.expected = expected
        self.events = events
    }
}

/// One producer's run: a later session of the same name fences the earlier one.
package struct ProducerSession: Hashable, Sendable {
    package let producer: ProducerName
    /// From 1, one more at each opening; only the greatest may append.
    package let epoch: UInt64
    /// The last sequence the log holds of this producer; 0 before the first append. A reactor's checkpoint.
    package let lastSequence: UInt64

    package init(producer: ProducerName, epoch: UInt64, lastSequence: UInt64) {
        self.producer = producer
        self.epoch = epoch
        self.lastSequence = lastSequence
    }
}

/// One atomic append: everything in it is written, or nothing is. No events at all is allowed: it moves the
/// producer's sequence, which is a reactor's checkpoint, and writes nothing else.
package struct AppendRequest: Hashable, Sendable {
    package var producer: ProducerName
    /// The session's; any other than the producer's current one is `fenced`.
    package var epoch: UInt64
    /// Greater than the producer's last. A repeat of the last with equal content is acknowledged again.
    package var sequence: UInt64
    /// Written in this order, at consecutive positions.
    package var streams: [StreamAppend]

    package init(session: ProducerSession, sequence: UInt64, _ streams: [StreamAppend]) {
        self.init(producer: session.producer, epoch: session.epoch, sequence: sequence, streams)
    }

    package init(producer: ProducerName, epoch: UInt64, sequence: UInt64, _ streams: [StreamAppend]) {
        self.producer = producer
        self.epoch = epoch
        self.sequence = sequence
        self.streams = streams
    }

    /// Of all streams together.
    package var eventCount: Int { streams.reduce(0) { $0 + $1.events.count } }
}

/// The acknowledgement: it is given after the commit is on disk.
package struct AppendReceipt: Hashable, Sendable {
    /// Position of the first event of the request; for an empty request the head at that time, and `count` is 0.
    package let first: Position
    /// Events in the request; their positions are consecutive.
    package let count: Int
    /// Whether the log had it already, so that this answer repeats an earlier one.
    package let repeated: Bool

    package init(first: Position, count: Int, repeated: Bool) {
        self.first = first
        self.count = count
        self.repeated = repeated
    }

    /// Position of the request's last event; for an empty request the same as `first`.
    package var last: Position { count == 0 ? first : Position(first.value + UInt64(count) - 1) }
}

extension ExpectedVersion: CustomStringConvertible {
    package var description: String {
        switch self {
        case .any: "any version"
        case .noStream: "no stream"
        case .streamExists: "a stream"
        case .exactly(let version): "version \(version)"
        }
    }
}

/// Why the log said no. Nothing of the request was written.
package enum AppendRefusal: Error, Hashable, Sendable {
    /// The stream is not what the writer believed; `actual` is how many events it had. Read it and decide again.
    case conflict(stream: StreamName, expected: ExpectedVersion, actual: StreamVersion)
    /// A field is not in a form that the log holds: an empty name, a control character, the nil UUID, a sequence of 0.
    case malformed(field: String, reason: String)
    /// The log keeps a list of types and this is not on it: usually its program is older than the writer's.
    case unknownType(EventType)
    /// Beyond one of `EventLimits`; size and limit are in the unit that `what` names.
    case tooLarge(what: String, size: Int, limit: Int)
    /// The key of this connection may not do that; only over the network, from the allow-list.
    case notAllowed(reason: String)
    /// More waits already than may wait. Ask again with the identical request, after this long at the earliest.
    case busy(retryAfterMilliseconds: Int)
    /// The disk is full, or the log is damaged: reads go on, appends do not.
    case readOnly(reason: String)
    /// Another session of this producer was opened later.
    case fenced(producer: ProducerName, epoch: UInt64, current: UInt64)
    /// The sequence is the last one but its content differs, or it lies before the last one.
    case sequenceReused(producer: ProducerName, sequence: UInt64, last: UInt64)

    /// Whether the same request may succeed later without a change.
    package var isRetriable: Bool {
        switch self {
        case .busy, .readOnly: true
        default: false
        }
    }
}

extension AppendRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .conflict(let stream, let expected, let actual):
            "\(stream) is at version \(actual), where \(expected) was expected: somebody else wrote first"
        case .malformed(let field, let reason): "\(field): \(reason)"
        case .unknownType(let type): "it knows no event type \(type)"
        case .tooLarge(let what, let size, let limit): "\(size) \(what) are more than \(limit)"
        case .notAllowed(let reason): reason
        case .busy(let milliseconds): "it is busy; try again in \(milliseconds) ms"
        case .readOnly(let reason): "it takes no appends: \(reason)"
        case .fenced(let producer, let epoch, let current):
            "a later session of \(producer) has been opened (epoch \(current), this one is \(epoch))"
        case .sequenceReused(let producer, let sequence, let last):
            "\(producer) has used the sequence \(sequence) for something else (its last is \(last))"
        }
    }
}

/// The store could not be asked, or could not answer.
package struct StoreFailure: Error, Hashable, Sendable {
    /// The code of a log that did not answer in time.
    package static let logUnreachable = "log-unreachable"

    /// Short and stable: `sqlite-11`, `log-unreachable`, `frame-malformed` …
    package var code: String
    /// One sentence for a person; it names no secret.
    package var message: String
    /// Whether the same call may succeed later without a change; decided where the cause is known.
    package var isRetriable: Bool

    package init(code: String, message: String, isRetriable: Bool) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }
}

/// All that a call to a store may throw.
package enum StoreError: Error, Hashable, Sendable {
    /// An answer: the log was asked and said no.
    case refused(AppendRefusal)
    /// No answer. An append may have been written all the same: repeat it with the same sequence to learn it.
    case failed(StoreFailure)
}

extension StoreError {
    /// Whether a stream had another version than was expected: somebody else was quicker.
    package var isConflict: Bool {
        if case .refused(let refusal) = self, case .conflict = refusal { true } else { false }
    }
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let refusal): "the log refuses: \(refusal)"
        case .failed(let failure): "\(failure.message) (\(failure.code))"
        }
    }
}
