import EventLog

/// Everything the log can answer.
enum LogReply: Hashable, Sendable {
    /// To a hello: the log is there, and how far it is.
    case head(Position)
    case session(ProducerSession?)
    case receipt(AppendReceipt)
    case page(ReadPage)
    case events([RecordedEvent])
    case summaries([StreamSummary])
    case refused(AppendRefusal)
    case failed(StoreFailure)

    init(_ error: StoreError) {
        switch error {
        case .refused(let refusal): self = .refused(refusal)
        case .failed(let failure): self = .failed(failure)
        }
    }
}

extension LogReply {
    /// A reply within `WireLimits.replyBytes`: a page that would exceed it ends earlier and says so itself.
    func encoded(correlation: UInt64) -> [UInt8] {
        var bytes: [UInt8]
        switch self {
        case .head(let head):
            bytes = [UInt8](frame: .head, correlation: correlation)
            bytes.append(little: head.value)
        case .session(let session):
            bytes = [UInt8](frame: .session, correlation: correlation)
            bytes.append(flag: session != nil)
            if let session { bytes.append(session) }
        case .receipt(let receipt):
            bytes = [UInt8](frame: .receipt, correlation: correlation)
            bytes.append(little: receipt.first.value)
            bytes.append(little: UInt32(clamping: receipt.count))
            bytes.append(flag: receipt.repeated)
        case .page(let page): bytes = Self.encoded(page, correlation)
        case .events(let events):
            bytes = [UInt8](frame: .events, correlation: correlation)
            _ = bytes.append(events: events)
        case .summaries(let summaries):
            bytes = [UInt8](frame: .summaries, correlation: correlation)
            for summary in summaries where bytes.count < WireLimits.replyBytes {
                bytes.append(short: summary.stream.text)
                bytes.append(little: summary.version.value)
            }
        case .refused(let refusal):
            bytes = [UInt8](frame: .refused, correlation: correlation)
            bytes.append(refusal)
        case .failed(let failure):
            bytes = [UInt8](frame: .failed, correlation: correlation)
            bytes.append(bounded: failure.code)
            bytes.append(bounded: failure.message)
            bytes.append(flag: failure.isRetriable)
        }
        return bytes
    }

    private static func encoded(_ page: ReadPage, _ correlation: UInt64) -> [UInt8] {
        var bytes = [UInt8](frame: .page, correlation: correlation)
        let scannedAt = bytes.count
        bytes.append(little: page.scannedThrough.value)
        bytes.append(little: page.head.value)
        if let last = bytes.append(events: page.events) {
            Swift.withUnsafeBytes(of: last.position.value.littleEndian) {
                bytes.replaceSubrange(scannedAt..<scannedAt + 8, with: $0)
            }
        }
        return bytes
    }

    init(_ frame: UnsafeRawBufferPointer) throws(MalformedFrame) {
        var reader = try FrameReader(frame)
        var decoder = EventDecoder()
        switch reader.header.kind {
        case .head: self = .head(Position(try reader.integer()))
        case .session: self = .session(try reader.flag() ? try reader.session() : nil)
        case .receipt:
            let first = Position(try reader.integer())
            let count = Int(try reader.integer(UInt32.self))
            self = .receipt(AppendReceipt(first: first, count: count, repeated: try reader.flag()))
        case .page:
            let scannedThrough = Position(try reader.integer())
            let head = Position(try reader.integer())
            let events = try reader.remainingEvents(&decoder)
            self = .page(ReadPage(events: events, scannedThrough: scannedThrough, head: head))
        case .events: self = .events(try reader.remainingEvents(&decoder))
        case .summaries:
            var summaries: [StreamSummary] = []
            while !reader.isAtEnd {
                let stream = StreamName(try reader.text())
                summaries.append(StreamSummary(stream: stream, version: StreamVersion(try reader.integer())))
            }
            self = .summaries(summaries)
        case .refused: self = .refused(try reader.refusal())
        case .failed:
            let code = try reader.text()
            let message = try reader.text()
            self = .failed(StoreFailure(code: code, message: message, isRetriable: try reader.flag()))
        default: throw MalformedFrame(reason: "kind \(reader.header.kind) is no reply", at: 3)
        }
        try reader.requireEnd()
    }
}

extension [UInt8] {
    /// Appends events until the reply is full.
    /// - Returns: the last one that went in, when others had to stay out.
    fileprivate mutating func append(events: [RecordedEvent]) -> RecordedEvent? {
        for (index, event) in events.enumerated() {
            EventCodec.encode(event, into: &self)
            if count >= WireLimits.replyBytes { return index + 1 < events.count ? event : nil }
        }
        return nil
    }

    fileprivate mutating func append(_ session: ProducerSession) {
        append(short: session.producer.text)
        append(little: session.epoch)
        append(little: session.lastSequence)
    }

    /// A sentence of ours, cut where a wire text must end.
    mutating func append(bounded text: String) {
        append(short: String(decoding: text.utf8.prefix(4_096), as: UTF8.self))
    }
}

extension FrameReader {
    fileprivate mutating func session() throws(MalformedFrame) -> ProducerSession {
        let producer = ProducerName(try text())
        return ProducerSession(producer: producer, epoch: try integer(), lastSequence: try integer())
    }
}
