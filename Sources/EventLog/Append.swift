/// What the writer believes about a stream before its append.
package enum ExpectedVersion: Hashable, Sendable {
    case any
    case noStream
    case streamExists
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
    package var epoch: UInt64
    /// Greater than the producer's last. A repeat of the last with equal content is acknowledged again.
    package var sequence: UInt64
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

    package var eventCount: Int { streams.reduce(0) { $0 + $1.events.count } }
}

/// The acknowledgement: it is given after the commit is on disk.
package struct AppendReceipt: Hashable, Sendable {
    /// Position of the first event of the request; for an empty request the head at that time, and `count` is 0.
    package let first: Position
    package let count: Int
    /// Whether the log had it already, so that this answer repeats an earlier one.
    package let repeated: Bool

    package init(first: Position, count: Int, repeated: Bool) {
        self.first = first
        self.count = count
        self.repeated = repeated
    }

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
    case conflict(stream: StreamName, expected: ExpectedVersion, actual: StreamVersion)
    case malformed(field: String, reason: String)
    case unknownType(EventType)
    case tooLarge(what: String, size: Int, limit: Int)
    case notAllowed(reason: String)
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
    package var message: String
    package var isRetriable: Bool

    package init(code: String, message: String, isRetriable: Bool) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }
}

/// All that a call to a store may throw.
package enum StoreError: Error, Hashable, Sendable {
    case refused(AppendRefusal)
    case failed(StoreFailure)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let refusal): "the log refuses: \(refusal)"
        case .failed(let failure): "\(failure.message) (\(failure.code))"
        }
    }
}
