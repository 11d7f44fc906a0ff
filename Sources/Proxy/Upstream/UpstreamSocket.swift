import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// A new connection to an upstream, encrypted where it has to be, of which the language is known.
struct UpstreamSocket: Sendable {
    let channel: any Channel
    let isHTTP2: Bool

    /// - Throws: `ProxyFailure` if the upstream's authorities cannot be read.
    static func open(
        _ address: UpstreamAddress, on loop: any EventLoop, within time: TimeAmount, idle: TimeAmount,
        trust: UpstreamTrust
    ) throws -> EventLoopFuture<UpstreamSocket> {
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(time)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // What the other side does not confirm for so long is lost: a machine that vanished sends no reset. One that
            // takes nothing for a while may be busy, and has the time that an answer has.
            .channelOption(
                ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)),
                value: Int(idle.nanoseconds / 1_000_000))
        guard address.isTLS else {
            return connect(bootstrap, address).map { UpstreamSocket(channel: $0, isHTTP2: false) }
        }
        let context = try trust.context(address.authorities)
        let spoken = loop.makePromise(of: Bool.self)
        let name = numeric(address) == nil ? address.host : nil
        bootstrap = bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    try NIOSSLClientHandler(context: context, serverHostname: name))
                try channel.pipeline.syncOperations.addHandler(Handshake(spoken, with: name, within: time))
            }
        }
        return connect(bootstrap, address)
            .flatMapErrorThrowing { error in
                spoken.fail(error)
                throw error
            }
            .flatMap { channel in spoken.futureResult.map { UpstreamSocket(channel: channel, isHTTP2: $0) } }
    }

    private static func connect(_ bootstrap: ClientBootstrap, _ address: UpstreamAddress) -> EventLoopFuture<
        any Channel
    > {
        // No resolver, and so no other thread, for what needs no resolving.
        if let numeric = numeric(address) { return bootstrap.connect(to: numeric) }
        return bootstrap.connect(host: address.host, port: address.port)
    }

    /// nil for a name.
    private static func numeric(_ address: UpstreamAddress) -> SocketAddress? {
        do { return try SocketAddress(ipAddress: address.host, port: address.port) } catch { return nil }
    }
}

/// Waits for the handshake's end, and for the proof of the name that was called. A server that takes the connection and says
/// nothing is not waited for: other calls wait for what it says, too.
private final class Handshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let spoken: EventLoopPromise<Bool>
    private let name: String?
    private let time: TimeAmount
    private var limit: Scheduled<Void>?
    private var isDone = false

    /// - Parameter name: nil where an address was called.
    init(_ spoken: EventLoopPromise<Bool>, with name: String?, within time: TimeAmount) {
        self.spoken = spoken
        self.name = name
        self.time = time
    }

    func handlerAdded(context: ChannelHandlerContext) {
        limit = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.errorCaught(context: context, error: ProxyFailure("the TLS handshake did not end in time"))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { limit?.cancel() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let language)? = event as? TLSUserEvent, !isDone {
            if let name, !isProven(name, context) {
                return errorCaught(
                    context: context, error: ProxyFailure("its certificate is not one of the name \(name)"))
            }
            isDone = true
            limit?.cancel()
            spoken.succeed(language == "h2")
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func isProven(_ name: String, _ context: ChannelHandlerContext) -> Bool {
        do {
            let tls = try context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            return tls.peerCertificate.map { CertificateName.isProven(name, by: $0) } ?? false
        } catch { return false }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else { return context.fireErrorCaught(error) }
        isDone = true
        spoken.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone {
            isDone = true
            spoken.fail(ProxyFailure("the connection was closed during the TLS handshake"))
        }
        context.fireChannelInactive()
    }
}
