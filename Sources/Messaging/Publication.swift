import EventLog

/// What the log tells everybody who listens.
enum Publication: Hashable, Sendable {
    case commit(PublishedCommit)
    /// How far the log is, once a second and to every new listener.
    case heartbeat(head: Position)
}

/// Some consecutive events of the log, still in the form of `EventCodec`.
struct PublishedCommit: Hashable, Sendable {
    var first: Position
    var count: Int
    /// A whole frame; the events begin at `eventsAt`.
    var frame: [UInt8]

    static let eventsAt = FrameHeader.count + 12

    var last: Position { Position(first.value + UInt64(count) - 1) }
    var events: ArraySlice<UInt8> { frame[Self.eventsAt...] }
}

extension Publication {
    static func heartbeatFrame(head: Position) -> [UInt8] {
        var bytes = [UInt8](frame: .heartbeat)
        bytes.append(little: head.value)
        return bytes
    }

    init(_ frame: UnsafeRawBufferPointer) throws(MalformedFrame) {
        var reader = try FrameReader(frame)
        switch reader.header.kind {
        case .heartbeat:
            self = .heartbeat(head: Position(try reader.integer()))
            try reader.requireEnd()
        case .commit:
            let first = try reader.integer(UInt64.self)
            let count = try reader.integer(UInt32.self)
            guard count > 0, first > 0, !first.addingReportingOverflow(UInt64(count)).overflow else {
                throw MalformedFrame(reason: "a commit of no positions", at: FrameHeader.count)
            }
            self = .commit(PublishedCommit(first: Position(first), count: Int(count), frame: Array(frame)))
        default: throw MalformedFrame(reason: "kind \(reader.header.kind) is no publication", at: 3)
        }
    }
}

/// Cuts a commit into the frames that publish it: one, unless it is large.
struct CommitFrames: Sequence, IteratorProtocol {
    private let committed: [UInt8]
    private var offset = 0
    private var first: UInt64

    init(_ committed: [UInt8], first: Position) {
        self.committed = committed
        self.first = first.value
    }

    mutating func next() -> [UInt8]? {
        guard offset < committed.count else { return nil }
        let begin = offset
        var count: UInt32 = 0
        while offset < committed.count, count == 0 || offset - begin < WireLimits.publicationBytes {
            let length = committed.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
            offset += 4 + Int(UInt32(littleEndian: length))
            count += 1
        }
        precondition(offset <= committed.count, "a store hands over whole events")
        var frame: [UInt8] = []
        frame.reserveCapacity(PublishedCommit.eventsAt + offset - begin)
        FrameHeader(kind: .commit, correlation: 0).write(into: &frame)
        frame.append(little: first)
        frame.append(little: count)
        frame += committed[begin..<offset]
        first += UInt64(count)
        return frame
    }
}
