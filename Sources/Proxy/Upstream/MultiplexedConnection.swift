import NIOCore
import NIOHTTP1
import NIOHTTP2

/// An HTTP/2 connection to an upstream: many calls at a time, each on its own stream.
final class MultiplexedConnection {
    private unowned let owner: UpstreamHost
    private let turnEnd: TurnEnd
    private let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer
    private var streams = 0
    /// What the server allows; until it says so, what RFC 9113 recommends as the least.
    fileprivate var most = 100
    fileprivate var isClosing = false
    private var hasCarried = false
    private var idleSince = NIODeadline.now()
    /// Bytes of one answer that may be on their way while its client is slow.
    private static let windowBytes = 256 << 10

    init(_ channel: any Channel, owner: UpstreamHost, turnEnd: TurnEnd) throws {
        self.owner = owner
        self.turnEnd = turnEnd
        self.channel = channel
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 64 << 10),
            HTTP2Setting(parameter: .initialWindowSize, value: Self.windowBytes),
        ]
        connection.targetWindowSize = 4 << 20
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = Self.windowBytes
        multiplexer = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .client, connectionConfiguration: connection, streamConfiguration: stream
        ) { $0.close() }
        try channel.pipeline.syncOperations.addHandler(ConnectionFrames(self))
    }

    var hasRoom: Bool { !isClosing && channel.isActive && streams < most }

    func isIdle(since moment: NIODeadline) -> Bool { streams == 0 && idleSince < moment }

    func send(_ call: UpstreamCall) {
        streams += 1
        let isReuse = hasCarried
        hasCarried = true
        let opened = channel.eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: opened) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .https))
            }
        }
        opened.futureResult.assumeIsolated().whenComplete { result in
            do {
                let stream = try result.get()
                let link = UpstreamLink(owner: self, turnEnd: self.turnEnd)
                try stream.pipeline.syncOperations.addHandler(link)
                stream.closeFuture.assumeIsolated().whenComplete { _ in self.streamEnded() }
                if call.isWanted { link.send(call, isReuse: isReuse) } else { link.close() }
            } catch {
                self.streamEnded()
                self.leave()
                if call.isWanted { self.owner.send(call) }
            }
        }
    }

    private func streamEnded() {
        streams -= 1
        idleSince = .now()
        if isClosing, streams == 0 { channel.close(promise: nil) }
    }

    /// No new streams: those that run may end.
    fileprivate func leave() {
        isClosing = true
        owner.isGone(self)
        if streams == 0 { channel.close(promise: nil) }
    }

    func close() {
        isClosing = true
        owner.isGone(self)
        channel.close(promise: nil)
    }
}

extension MultiplexedConnection: UpstreamLinkOwner {
    /// A stream carries one call and ends by itself.
    func isFree(_ link: UpstreamLink) {}
    func isGone(_ link: UpstreamLink) {}
    func retry(_ call: UpstreamCall) { owner.retry(call) }
}

/// What the upstream says about the connection itself.
private final class ConnectionFrames: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    private let connection: MultiplexedConnection

    init(_ connection: MultiplexedConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .goAway: connection.leave()
        case .settings(.settings(let settings)):
            if let most = settings.last(where: { $0.parameter == .maxConcurrentStreams })?.value {
                connection.most = max(1, most)
            }
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.close() }

    func channelInactive(context: ChannelHandlerContext) {
        connection.close()
        context.fireChannelInactive()
    }
}
