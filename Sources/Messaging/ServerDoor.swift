import EventLog
import ZeroMQ

/// The two sockets through which one kind of peer reaches the log. Lives on the server's thread.
final class ServerDoor {
    /// Where a reply goes: the door's peer, and its correlation.
    struct Peer: Sendable {
        var door: Int
        var identity: [UInt8]
        var correlation: UInt64
    }

    struct Arrival: ~Copyable {
        var identity: [UInt8]
        /// Who it is, over CURVE.
        var key: CurvePublicKey?
        /// nil when there were not exactly two frames.
        var body: Message?
    }

    let endpoints: LogEndpoints
    let requests: Socket
    let events: Socket
    let monitor: SocketMonitor
    let access: AccessList?

    /// - Throws: when an endpoint cannot be bound.
    init(_ context: Context, local endpoints: LogEndpoints) throws(ZeroMQError) {
        requests = try Socket(context, .router, limits: .requests)
        events = try Socket(context, .publisher, limits: .publications)
        monitor = try SocketMonitor(context, of: requests)
        access = nil
        self.endpoints = LogEndpoints(
            requests: try requests.bind(endpoints.requests), events: try events.bind(endpoints.events))
    }

    init(_ context: Context, secure: SecureEndpoints) throws(ZeroMQError) {
        requests = try Socket(context, .router, limits: .requests)
        events = try Socket(context, .publisher, limits: .publications)
        try requests.requireCurve(secure.keys, domain: "event-log")
        try events.requireCurve(secure.keys, domain: "event-log")
        monitor = try SocketMonitor(context, of: requests)
        access = secure.access
        endpoints = LogEndpoints(
            requests: try requests.bind(secure.endpoints.requests), events: try events.bind(secure.endpoints.events))
    }

    /// - Returns: nil when nothing waits.
    func nextArrival() throws(ZeroMQError) -> Arrival? {
        var identity = Message()
        guard try requests.receive(&identity) else { return nil }
        var body = Message()
        guard identity.hasMore, try requests.receive(&body) else { return Arrival(identity: identity.bytes) }
        let key = access == nil ? nil : body.property("User-Id").flatMap { CurvePublicKey(text: $0) }
        guard body.hasMore else { return Arrival(identity: identity.bytes, key: key, body: consume body) }
        while body.hasMore, try requests.receive(&body) {}
        return Arrival(identity: identity.bytes, key: key)
    }

    /// - Returns: false when the peer is gone or takes no more.
    func send(_ reply: [UInt8], to identity: [UInt8]) throws(ZeroMQError) -> Bool {
        guard try requests.send(identity, more: true) == .sent else { return false }
        return try requests.send(reply) == .sent
    }

    func publish(_ frame: [UInt8]) throws(ZeroMQError) { _ = try events.send(frame) }

    /// - Returns: whether somebody began to listen since the last call.
    func hasNewSubscriber() throws(ZeroMQError) -> Bool {
        var message = Message()
        var isNew = false
        while try events.receive(&message) {
            isNew = message.withUnsafeBytes { $0.first == 1 } || isNew
        }
        return isNew
    }
}

extension SocketLimits {
    static var requests: SocketLimits {
        var limits = SocketLimits()
        limits.sendHighWaterMessages = 256
        limits.receiveHighWaterMessages = 256
        return limits
    }

    /// 256 pieces of `WireLimits.publicationBytes`: what a slow subscriber costs at most is 64 MiB.
    static var publications: SocketLimits {
        var limits = SocketLimits()
        limits.sendHighWaterMessages = 256
        limits.receiveHighWaterMessages = 256
        limits.lingerMilliseconds = 200
        return limits
    }
}
