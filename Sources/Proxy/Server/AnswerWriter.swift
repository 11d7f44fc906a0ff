import NIOCore
import NIOHTTP1

/// Writes one answer as HTTP/1: its head, its body in the framing that fits, its end.
struct AnswerWriter {
    /// How the client knows where the body ends.
    enum Framing: Equatable {
        case none
        /// What is still to come.
        case fixed(Int)
        case chunked
        case untilClose
    }

    private(set) var framing: Framing
    /// Whether the connection serves another request afterwards.
    private(set) var isKept: Bool

    /// - Parameters:
    ///   - headers: without hop-by-hop fields.
    ///   - date: for an answer of our own.
    init(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, to request: HTTPRequestHead?, isKept: Bool,
        date: String? = nil, into buffer: inout ByteBuffer
    ) {
        let version = request?.version ?? .http1_1
        let length = headers.first(name: "content-length").flatMap(Int.init)
        let hasBody = request?.method != .HEAD && status.code >= 200 && status != .noContent && status != .notModified
        framing =
            if !hasBody { .none } else if let length { .fixed(length) } else if version == .http1_1 { .chunked } else {
                .untilClose
            }
        self.isKept = isKept && framing != .untilClose
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
        for (name, value) in headers {
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if let date {
            buffer.writeStaticString("date: ")
            buffer.writeString(date)
            buffer.writeStaticString("\r\n")
        }
        if framing == .chunked { buffer.writeStaticString("transfer-encoding: chunked\r\n") }
        if !self.isKept {
            buffer.writeStaticString("connection: close\r\n")
        } else if version == .http1_0 {
            buffer.writeStaticString("connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    /// What stands before these bytes. More than was announced is not sent: the connection is given up instead.
    /// - Returns: whether the bytes are to be sent.
    mutating func begin(_ count: Int, into buffer: inout ByteBuffer) -> Bool {
        switch framing {
        case .none: return false
        case .untilClose: return true
        case .chunked:
            Self.writeHexadecimal(count, into: &buffer)
            buffer.writeStaticString("\r\n")
            return true
        case .fixed(let rest):
            guard count <= rest else {
                isKept = false
                return false
            }
            framing = .fixed(rest - count)
            return true
        }
    }

    /// A stream has a size before every chunk, so no string is made of it.
    private static func writeHexadecimal(_ count: Int, into buffer: inout ByteBuffer) {
        let digits = max(1, (Int.bitWidth - count.leadingZeroBitCount + 3) / 4)
        for digit in (0..<digits).reversed() {
            let value = UInt8(truncatingIfNeeded: count >> (digit * 4) & 0xF)
            buffer.writeInteger(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
        }
    }

    /// What stands behind these bytes.
    func end(into buffer: inout ByteBuffer) {
        if framing == .chunked { buffer.writeStaticString("\r\n") }
    }

    /// The end of a whole answer. One that is shorter than announced costs the connection, or the client would wait.
    mutating func finish(into buffer: inout ByteBuffer) {
        switch framing {
        case .chunked: buffer.writeStaticString("0\r\n\r\n")
        case .fixed(let rest) where rest > 0: isKept = false
        case .fixed, .none, .untilClose: break
        }
    }
}
