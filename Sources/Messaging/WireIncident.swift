package import EventLog
package import ZeroMQ

/// Something the wire turned away or lost. Each is counted, and told once to whoever logs; nothing stops for it.
package enum WireIncident: Hashable, Sendable {
    /// Bytes that are no frame of ours; who sent a request so is told.
    case malformedFrame(MalformedFrame)
    /// A request beyond `WireLimits.frameBytes`; it is refused with an answer.
    case oversizedFrame(bytes: Int)
    /// A key that is not on the allow-list; nil when the peer showed none.
    case keyDenied(CurvePublicKey?)
    /// A peer spoke another protocol, or encrypted for another server.
    case handshakeFailed
    /// A key on the list asked for what it may not do.
    case notAllowed(CurvePublicKey, reason: String)
    /// An append of a type that the log was not told about.
    case unknownType(EventType)
    /// Appends are refused from now on, while reads go on: the disk is full.
    case readOnly(reason: String)
    /// There is room again: appends succeed.
    case writableAgain
    /// The queue of appends was full.
    case busy
    /// The asker was gone, or takes no more; it will ask again.
    case replyDropped
    /// A subscriber read slower than the log wrote; it reads the rest from the log.
    case publicationsSkipped(count: Int)
    /// The log or the wire did not answer; it is tried again.
    case retrying(StoreFailure)

    /// Whether it is part of a busy day; the others deserve somebody's attention.
    package var isRoutine: Bool {
        switch self {
        case .busy, .replyDropped, .publicationsSkipped, .retrying: true
        case .malformedFrame, .oversizedFrame, .keyDenied, .handshakeFailed, .notAllowed, .unknownType, .readOnly,
            .writableAgain:
            false
        }
    }

    /// A short stable name for counters and log lines.
    package var name: String {
        switch self {
        case .malformedFrame: "malformed-frame"
        case .oversizedFrame: "oversized-frame"
        case .keyDenied: "key-denied"
        case .handshakeFailed: "handshake-failed"
        case .notAllowed: "not-allowed"
        case .unknownType: "unknown-type"
        case .readOnly: "read-only"
        case .writableAgain: "writable-again"
        case .busy: "busy"
        case .replyDropped: "reply-dropped"
        case .publicationsSkipped: "publications-skipped"
        case .retrying: "retrying"
        }
    }
}

/// Where incidents go: usually a log line and a counter.
package typealias IncidentHandler = @Sendable (WireIncident) -> Void

extension StoreError {
    /// A ZeroMQ call failed where it cannot be answered otherwise.
    init(_ error: ZeroMQError) {
        self = .failed(StoreFailure(code: "zeromq-\(error.errno)", message: error.description, isRetriable: false))
    }

    init(_ error: MalformedFrame) {
        self = .failed(
            StoreFailure(code: "frame-malformed", message: "\(error.reason) at byte \(error.at)", isRetriable: false))
    }
}
