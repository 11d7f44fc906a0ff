import EventLog

/// Every refusal keeps its type and its fields on the wire, so that a remote caller decides as a local one would.
extension [UInt8] {
    mutating func append(_ refusal: AppendRefusal) {
        switch refusal {
        case .conflict(let stream, let expected, let actual):
            append(1)
            append(bounded: stream.text)
            append(expected)
            append(little: actual.value)
        case .malformed(let field, let reason):
            append(2)
            append(bounded: field)
            append(bounded: reason)
        case .unknownType(let type):
            append(3)
            append(bounded: type.text)
        case .tooLarge(let what, let size, let limit):
            append(4)
            append(bounded: what)
            append(little: Int64(size))
            append(little: Int64(limit))
        case .notAllowed(let reason):
            append(5)
            append(bounded: reason)
        case .busy(let milliseconds):
            append(6)
            append(little: UInt32(clamping: milliseconds))
        case .readOnly(let reason):
            append(7)
            append(bounded: reason)
        case .fenced(let producer, let epoch, let current):
            append(8)
            append(bounded: producer.text)
            append(little: epoch)
            append(little: current)
        case .sequenceReused(let producer, let sequence, let last):
            append(9)
            append(bounded: producer.text)
            append(little: sequence)
            append(little: last)
        }
    }
}

extension FrameReader {
    mutating func refusal() throws(MalformedFrame) -> AppendRefusal {
        switch try integer(UInt8.self) {
        case 1:
            return .conflict(
                stream: StreamName(try text()), expected: try expectedVersion(), actual: StreamVersion(try integer()))
        case 2: return .malformed(field: try text(), reason: try text())
        case 3: return .unknownType(EventType(try text()))
        case 4:
            return .tooLarge(
                what: try text(), size: Int(try integer(Int64.self)), limit: Int(try integer(Int64.self)))
        case 5: return .notAllowed(reason: try text())
        case 6: return .busy(retryAfterMilliseconds: Int(try integer(UInt32.self)))
        case 7: return .readOnly(reason: try text())
        case 8: return .fenced(producer: ProducerName(try text()), epoch: try integer(), current: try integer())
        case 9:
            return .sequenceReused(producer: ProducerName(try text()), sequence: try integer(), last: try integer())
        case let other: throw MalformedFrame(reason: "refusal of kind \(other)", at: FrameHeader.count)
        }
    }
}
