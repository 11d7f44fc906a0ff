import CZeroMQ
import Glibc

/// One frame as libzmq holds it: received without a copy, sent without a copy, released once.
///
/// The C value moves with this one: libzmq itself moves messages by copying their bytes, and nothing points into them.
package struct Message: ~Copyable {
    var raw = zmq_msg_t()

    package init() { zmq_msg_init(&raw) }

    package init(copying bytes: UnsafeRawBufferPointer) {
        let status = zmq_msg_init_size(&raw, bytes.count)
        precondition(status == 0, "out of memory for a message")
        if let from = bytes.baseAddress, let to = zmq_msg_data(&raw) { memcpy(to, from, bytes.count) }
    }

    package init(copying bytes: [UInt8]) {
        let status = zmq_msg_init_size(&raw, bytes.count)
        precondition(status == 0, "out of memory for a message")
        if let to = zmq_msg_data(&raw) { memcpy(to, bytes, bytes.count) }
    }

    deinit {
        var raw = raw
        zmq_msg_close(&raw)
    }

    package var count: Int { withUnsafePointer(to: raw) { zmq_msg_size($0) } }

    /// Whether further frames of the same message follow.
    package var hasMore: Bool { withUnsafePointer(to: raw) { zmq_msg_more($0) != 0 } }

    /// The bytes, valid inside `body` only.
    package func withUnsafeBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // A small message keeps its bytes inside the C value, so the pointer is good only within this closure.
        try withUnsafePointer(to: raw) { message throws(Failure) in
            let data = zmq_msg_data(UnsafeMutablePointer(mutating: message))
            return try body(UnsafeRawBufferPointer(start: data, count: zmq_msg_size(message)))
        }
    }

    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// What the connection's handshake established about the sender, such as `User-Id`.
    package func property(_ name: String) -> String? {
        withUnsafePointer(to: raw) { message in zmq_msg_gets(message, name).map { String(cString: $0) } }
    }
}
