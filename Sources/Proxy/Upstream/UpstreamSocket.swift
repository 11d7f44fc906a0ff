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
        _ address: UpstreamAddress, on loop: any EventLoop, within time: TimeAmount, trust: UpstreamTrust
    ) throws -> EventLoopFuture<UpstreamSocket> {
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(time)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // What the other side does not confirm for so long is lost: a machine that vanished sends no reset.
            .channelOption(
                ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)), value: 30_000)
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
                try channel.pipeline.syncOperations.addHandler(Handshake(spoken))
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

/// Waits for the handshake's end.
private final class Handshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let spoken: EventLoopPromise<Bool>
    private var isDone = false

    init(_ spoken: EventLoopPromise<Bool>) { self.spoken = spoken }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let language)? = event as? TLSUserEvent, !isDone {
            isDone = true
            spoken.succeed(language == "h2")
        }
        context.fireUserInboundEventTriggered(event)
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
