import EventLog

/// Everything a program can ask the log.
enum LogRequest: Hashable, Sendable {
    case hello
    case openSession(ProducerName)
    case append(AppendRequest)
    case read(ReadRequest)
}

/// The questions that change nothing; they are answered beside the appends.
enum ReadRequest: Hashable, Sendable {
    case sessionOf(ProducerName)
    case events(after: Position, limit: Int, types: Set<EventType>?)
    case stream(StreamName, after: StreamVersion, limit: Int)
    case streams(prefix: String, after: String?, limit: Int)
}

extension LogRequest {
    /// - Precondition: every name is within `EventLimits.nameBytes`.
    func encoded() -> [UInt8] {
        switch self {
        case .hello: return [UInt8](frame: .hello)
        case .openSession(let producer):
            var bytes = [UInt8](frame: .openSession)
            bytes.append(short: producer.text)
            return bytes
        case .append(let request): return Self.encoded(request)
        case .read(let request): return request.encoded()
        }
    }

    private static func encoded(_ request: AppendRequest) -> [UInt8] {
        var bytes = [UInt8](frame: .append)
        bytes.append(short: request.producer.text)
        bytes.append(little: request.epoch)
        bytes.append(little: request.sequence)
        bytes.append(little: UInt32(request.streams.count))
        for append in request.streams {
            bytes.append(short: append.stream.text)
            bytes.append(append.expected)
            bytes.append(little: UInt32(append.events.count))
            for event in append.events { bytes.append(event) }
        }
        return bytes
    }

    /// - Parameter decoder: keeps the names of earlier requests, which repeat.
    init(_ frame: UnsafeRawBufferPointer, decoder: inout EventDecoder) throws(MalformedFrame) {
        var reader = try FrameReader(frame)
        switch reader.header.kind {
        case .hello: self = .hello
        case .openSession: self = .openSession(ProducerName(try reader.text()))
        case .append: self = .append(try reader.appendRequest(&decoder))
        case .sessionOf, .read, .readStream, .streams: self = .read(try ReadRequest(&reader))
        default: throw MalformedFrame(reason: "kind \(reader.header.kind) is no request", at: 3)
        }
        try reader.requireEnd()
    }
}

extension ReadRequest {
    func encoded() -> [UInt8] {
        var bytes: [UInt8]
        switch self {
        case .sessionOf(let producer):
            bytes = [UInt8](frame: .sessionOf)
            bytes.append(short: producer.text)
        case .events(let position, let limit, let types):
            bytes = [UInt8](frame: .read)
            bytes.append(little: position.value)
            bytes.append(little: UInt32(clamping: limit))
            bytes.append(flag: types != nil)
            for type in types ?? [] { bytes.append(short: type.text) }
        case .stream(let stream, let version, let limit):
            bytes = [UInt8](frame: .readStream)
            bytes.append(short: stream.text)
            bytes.append(little: version.value)
            bytes.append(little: UInt32(clamping: limit))
        case .streams(let prefix, let name, let limit):
            bytes = [UInt8](frame: .streams)
            bytes.append(short: prefix)
            bytes.append(flag: name != nil)
            if let name { bytes.append(short: name) }
            bytes.append(little: UInt32(clamping: limit))
        }
        return bytes
    }

    fileprivate init(_ reader: inout FrameReader) throws(MalformedFrame) {
        switch reader.header.kind {
        case .sessionOf: self = .sessionOf(ProducerName(try reader.text()))
        case .read:
            let position = Position(try reader.integer())
            let limit = try reader.limit()
            var types: Set<EventType>? = try reader.flag() ? [] : nil
            while types != nil, !reader.isAtEnd { types?.insert(EventType(try reader.text())) }
            self = .events(after: position, limit: limit, types: types)
        case .readStream:
            self = .stream(
                StreamName(try reader.text()), after: StreamVersion(try reader.integer()), limit: try reader.limit())
        default:
            let prefix = try reader.text()
            let name = try reader.flag() ? try reader.text() : nil
            self = .streams(prefix: prefix, after: name, limit: try reader.limit())
        }
    }
}

extension FrameReader {
    fileprivate mutating func limit() throws(MalformedFrame) -> Int {
        min(Int(try integer(UInt32.self)), EventLimits.readEvents)
    }

    fileprivate mutating func appendRequest(_ decoder: inout EventDecoder) throws(MalformedFrame) -> AppendRequest {
        let producer = ProducerName(try text())
        var request = AppendRequest(producer: producer, epoch: try integer(), sequence: try integer(), [])
        // Counts come from outside: they reserve no more than the bytes can hold, which end first when they lie.
        for _ in 0..<(try integer(UInt32.self)) {
            var append = StreamAppend(StreamName(try text()), expected: try expectedVersion(), [])
            let count = try integer(UInt32.self)
            append.events.reserveCapacity(min(Int(count), remaining / EventCodec.fixedBytes))
            for _ in 0..<count { append.events.append(try event(&decoder).event) }
            request.streams.append(append)
        }
        return request
    }

    mutating func expectedVersion() throws(MalformedFrame) -> ExpectedVersion {
        switch try integer(UInt8.self) {
        case 0: return .any
        case 1: return .noStream
        case 2: return .streamExists
        case 3: return .exactly(StreamVersion(try integer()))
        case let other: throw MalformedFrame(reason: "expected version of kind \(other)", at: 0)
        }
    }
}

extension [UInt8] {
    mutating func append(_ expected: ExpectedVersion) {
        switch expected {
        case .any: append(0)
        case .noStream: append(1)
        case .streamExists: append(2)
        case .exactly(let version):
            append(3)
            append(little: version.value)
        }
    }

    /// In the form of `EventCodec`, with the log's own fields empty: the log fills them.
    fileprivate mutating func append(_ event: NewEvent) {
        EventCodec.encode(
            RecordedEvent(
                position: .start, stream: "", version: .none, recorded: Timestamp(microseconds: 0), producer: "",
                producerSequence: 0, event: event),
            into: &self)
    }
}
