import CZeroMQ
import Glibc

/// One libzmq socket. Noncopyable and not Sendable: libzmq forbids two threads, so the type does too.
/// Sending and receiving never block; wait with a `Poller`.
package struct Socket: ~Copyable {
    /// The pattern that the socket speaks.
    package enum Kind: Sendable {
        case pair, dealer, router, publisher, subscriber, reply

        fileprivate var code: Int32 {
            switch self {
            case .pair: ZMQ_PAIR
            case .dealer: ZMQ_DEALER
            case .router: ZMQ_ROUTER
            // XPUB hands subscriptions to us, so that a new subscriber can be told the head at once.
            case .publisher: ZMQ_XPUB
            case .subscriber: ZMQ_SUB
            case .reply: ZMQ_REP
            }
        }
    }

    let handle: UnsafeMutableRawPointer
    private let context: Context

    /// - Throws: EMFILE beyond the context's sockets; ETERM when the context ends.
    package init(_ context: Context, _ kind: Kind, limits: SocketLimits = SocketLimits()) throws(ZeroMQError) {
        guard let handle = zmq_socket(context.handle, kind.code) else { throw .last("zmq_socket") }
        do {
            try handle.apply(limits)
            try handle.apply(kind)
        } catch {
            zmq_close(handle)
            throw error
        }
        self.handle = handle
        self.context = context
    }

    deinit { zmq_close(handle) }

    // MARK: Endpoints

    /// - Returns: the endpoint as bound: a wildcard port is replaced by the kernel's choice.
    package func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        guard zmq_bind(handle, endpoint) == 0 else { throw .last("bind \(endpoint)") }
        var size = 1_024
        var text = [CChar](repeating: 0, count: size)
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else { throw .last("last endpoint") }
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Reaches for an endpoint; libzmq goes on trying by itself.
    package func connect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_connect(handle, endpoint) == 0 else { throw .last("connect \(endpoint)") }
    }

    // MARK: Frames

    /// Whether a message left.
    package enum Sent: Hashable, Sendable {
        /// libzmq has it; whether it arrives is another matter.
        case sent
        /// No room, or nobody connected: try when the poller says it is writable.
        case wouldBlock
        /// The router's peer is gone.
        case unreachable
    }

    /// - Parameter more: whether another frame of the same message follows.
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) throws(ZeroMQError) -> Sent {
        var message = Message(copying: bytes)
        return try send(&message, more: more)
    }

    package func send(_ bytes: [UInt8], more: Bool = false) throws(ZeroMQError) -> Sent {
        var message = Message(copying: bytes)
        return try send(&message, more: more)
    }

    /// The message is empty afterwards if it was sent, and unchanged otherwise.
    package func send(_ message: inout Message, more: Bool = false) throws(ZeroMQError) -> Sent {
        while zmq_msg_send(&message.raw, handle, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 {
            let error = ZeroMQError.last("send")
            switch error.kind {
            case .interrupted: continue
            case .wouldBlock: return .wouldBlock
            case .unreachable: return .unreachable
            case .terminated, .other: throw error
            }
        }
        return .sent
    }

    /// - Returns: whether a frame was there.
    package func receive(_ message: inout Message) throws(ZeroMQError) -> Bool {
        while zmq_msg_recv(&message.raw, handle, ZMQ_DONTWAIT) < 0 {
            let error = ZeroMQError.last("receive")
            switch error.kind {
            case .interrupted: continue
            case .wouldBlock: return false
            case .terminated, .unreachable, .other: throw error
            }
        }
        return true
    }
}

extension UnsafeMutableRawPointer {
    fileprivate func apply(_ kind: Socket.Kind) throws(ZeroMQError) {
        switch kind {
        case .router: try set(ZMQ_ROUTER_MANDATORY, 1)
        case .publisher: try set(ZMQ_XPUB_VERBOSE, 1)
        case .subscriber: try set(ZMQ_SUBSCRIBE, bytes: [])
        case .pair, .dealer, .reply: break
        }
    }

    fileprivate func apply(_ limits: SocketLimits) throws(ZeroMQError) {
        try set(ZMQ_SNDHWM, limits.sendHighWaterMessages)
        try set(ZMQ_RCVHWM, limits.receiveHighWaterMessages)
        try set(ZMQ_LINGER, limits.lingerMilliseconds)
        try set(ZMQ_HEARTBEAT_IVL, limits.heartbeatMilliseconds)
        try set(ZMQ_HEARTBEAT_TIMEOUT, limits.heartbeatTimeoutMilliseconds)
        try set(ZMQ_HANDSHAKE_IVL, limits.handshakeMilliseconds)
        try set(ZMQ_RECONNECT_IVL, limits.reconnectMilliseconds)
        try set(ZMQ_RECONNECT_IVL_MAX, limits.reconnectMaximumMilliseconds)
        // Only completed connections count as room to send: what is "sent" has somewhere to go.
        try set(ZMQ_IMMEDIATE, 1)
        var messageBytes = limits.messageBytes
        guard zmq_setsockopt(self, ZMQ_MAXMSGSIZE, &messageBytes, MemoryLayout<Int64>.size) == 0 else {
            throw .last("maximum message size")
        }
    }

    /// Sets an option of the socket behind this handle.
    func set(_ option: Int32, _ value: Int32) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(self, option, &value, MemoryLayout<Int32>.size) == 0 else {
            throw .last("socket option \(option)")
        }
    }

    func set(_ option: Int32, bytes: [UInt8]) throws(ZeroMQError) {
        guard zmq_setsockopt(self, option, bytes, bytes.count) == 0 else { throw .last("socket option \(option)") }
    }
}
