import EventLog

/// What a frame is about. Requests go to the log, replies come back with the request's correlation, publications go to
/// whoever listens. The bytes of each kind are on the page `Messaging.docc/Wire.md`.
enum FrameKind: UInt8, Sendable {
    case hello = 0x01
    case openSession = 0x02
    case sessionOf = 0x03
    case append = 0x04
    case read = 0x05
    case readStream = 0x06
    case streams = 0x07

    case head = 0x81
    case session = 0x82
    case receipt = 0x83
    case page = 0x84
    case events = 0x85
    case summaries = 0x86
    case refused = 0x8E
    case failed = 0x8F

    case commit = 0xC1
    case heartbeat = 0xC2
}

/// The first 12 bytes of every frame: `FL`, version, kind, correlation.
struct FrameHeader: Equatable, Sendable {
    static let version: UInt8 = 1
    static let count = 12

    var kind: FrameKind
    var correlation: UInt64

    func write(into bytes: inout [UInt8]) {
        bytes += [0x46, 0x4C, Self.version, kind.rawValue]
        bytes.append(little: correlation)
    }
}

/// Bytes from outside that are no frame of ours. They are refused and counted, and nothing stops.
package struct MalformedFrame: Error, Hashable, Sendable {
    package let reason: String
    /// The byte of the frame at which it stops making sense, from 0.
    package let at: Int
}

/// The bounds of the wire.
package enum WireLimits {
    /// A request or reply beyond this is refused with an answer; beyond `SocketLimits.messageBytes` the peer is cut off.
    package static let frameBytes = 16 << 20
    /// A read's reply ends at the first event that reaches it.
    package static let replyBytes = 4 << 20
    /// A commit is published in pieces of about this size.
    package static let publicationBytes = 256 << 10
}
