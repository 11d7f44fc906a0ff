import CZeroMQ
import Glibc
import Synchronization

/// Tells what happens to a socket's connections: libzmq keeps that to itself otherwise.
package struct SocketMonitor: ~Copyable {
    /// What happened to a connection.
    package enum Event: Hashable, Sendable {
        /// A connection is up, after its handshake.
        case connected
        case disconnected
        /// A peer spoke another protocol, or CURVE failed on its side.
        case handshakeFailed
        /// The ZAP handler said no.
        case authenticationFailed
    }

    /// To be polled; `next` reads from it.
    package let socket: Socket

    private static let count = Atomic(0)

    /// Tells of what happens from now on.
    package init(_ context: Context, of watched: borrowing Socket) throws(ZeroMQError) {
        let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        let endpoint = "inproc://monitor-\(number)"
        let events =
            ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        guard zmq_socket_monitor(watched.handle, endpoint, events) == 0 else { throw .last("zmq_socket_monitor") }
        let socket = try Socket(context, .pair)
        try socket.connect(endpoint)
        self.socket = socket
    }

    /// - Returns: nil when there is no further event.
    package func next() throws(ZeroMQError) -> Event? {
        var message = Message()
        while try socket.receive(&message) {
            let code = message.withUnsafeBytes { bytes in
                bytes.count >= 2 ? Int32(bytes.loadUnaligned(as: UInt16.self)) : 0
            }
            while message.hasMore, try socket.receive(&message) {}
            switch code {
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .connected
            case ZMQ_EVENT_DISCONNECTED: return .disconnected
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return .handshakeFailed
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return .authenticationFailed
            default: continue
            }
        }
        return nil
    }
}
