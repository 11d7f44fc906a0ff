/// Takes a stream of server-sent events apart, wherever it is cut into pieces: lines end in LF, CRLF or CR, a blank one
/// ends an event, and only `data:` is looked at.
struct EventLines {
    enum Step: Hashable {
        /// A part of a `data` line's content.
        case payload(Range<Int>)
        /// A `data` line is over.
        case lineEnd
        /// The blank line after an event has been read.
        case eventEnd
    }

    private enum State { case name, blank, payload, other }

    private var state = State.name
    private var matched = 0
    private var afterReturn = false

    private static let data: StaticString = "data:"

    /// What was read last is a CR, so that an LF that comes next belongs to it.
    var endsInReturn: Bool { afterReturn }

    /// - Returns: nil when all bytes are used up; what is incomplete is remembered.
    mutating func step(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Step? {
        while at < bytes.count {
            let byte = bytes[at]
            if afterReturn {
                afterReturn = false
                if byte == Self.lineFeed {
                    at += 1
                    continue
                }
            }
            switch state {
            case .name:
                if Self.endsLine(byte) {
                    let isBlank = matched == 0
                    endLine(bytes, &at)
                    if isBlank { return .eventEnd }
                } else if byte == Self.data.utf8Start[matched] {
                    at += 1
                    matched += 1
                    if matched == Self.data.utf8CodeUnitCount { state = .blank }
                } else {
                    state = .other
                }
            case .blank:
                if byte == 0x20 { at += 1 }
                state = .payload
            case .payload:
                let start = at
                while at < bytes.count, !Self.endsLine(bytes[at]) { at += 1 }
                if at > start { return .payload(start..<at) }
                endLine(bytes, &at)
                return .lineEnd
            case .other:
                while at < bytes.count, !Self.endsLine(bytes[at]) { at += 1 }
                if at < bytes.count { endLine(bytes, &at) }
            }
        }
        return nil
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    private static func endsLine(_ byte: UInt8) -> Bool { byte == lineFeed || byte == carriageReturn }

    private mutating func endLine(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) {
        afterReturn = bytes[at] == Self.carriageReturn
        at += 1
        if afterReturn, at < bytes.count {
            afterReturn = false
            if bytes[at] == Self.lineFeed { at += 1 }
        }
        state = .name
        matched = 0
    }
}
