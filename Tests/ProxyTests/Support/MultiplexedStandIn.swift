import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// An upstream that speaks HTTP/2, and does what the body of a request says; without such a word it repeats the body.
final class MultiplexedStandIn: Sendable {
    /// What a body may ask for.
    enum Wish: String {
        /// A beginning, and the end when `finish` is called.
        case wait
        /// Nothing at all.
        case silence
        /// Two interim answers before the answer.
        case hint
        /// `pouredBytes`.
        case pour
    }

    static let pouredBytes = 64 << 20

    fileprivate struct State {
        var connections: [any Channel] = []
        var fields: [HTTPHeaders] = []
        var resets = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var unfinished: [EventLoopPromise<Void>] = []
    }

    fileprivate final class Shared: Sendable {
        let state = Mutex(State())

        func reset() {
            let ready = state.withLock { state in
                state.resets += 1
                defer { state.waiting = [] }
                return state.waiting
            }
            for waiting in ready { waiting.resume() }
        }
    }

    let port: Int
    private let channel: any Channel
    private let shared: Shared

    var connections: Int { shared.state.withLock { $0.connections.count } }
    var fields: [HTTPHeaders] { shared.state.withLock { $0.fields } }

    private init(_ channel: any Channel, _ shared: Shared) {
        self.channel = channel
        self.shared = shared
        port = channel.localAddress?.port ?? 0
    }

    /// - Parameter silent: so many connections, the first ones, never hear a word.
    static func start(_ tls: NIOSSLContext, silent: Int = 0) async throws -> MultiplexedStandIn {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: Wire.group)
            .childChannelInitializer { channel in
                let number = shared.state.withLock { state in
                    state.connections.append(channel)
                    return state.connections.count
                }
                guard number > silent else { return channel.eventLoop.makeSucceededVoidFuture() }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                            try stream.pipeline.syncOperations.addHandler(WishedAnswer(shared))
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return MultiplexedStandIn(channel, shared)
    }

    /// Waits until a client has reset a stream that was not at its end.
    func streamReset() async {
        await withCheckedContinuation { continuation in
            let isReady = shared.state.withLock { state in
                if state.resets > 0 { return true }
                state.waiting.append(continuation)
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    /// Takes no new streams on the connections that there are; those that run may end.
    func goAway() async throws {
        for connection in shared.state.withLock({ $0.connections }) {
            try await connection.writeAndFlush(HTTP2Frame.leaving(after: .maxID)).get()
        }
    }

    /// Closes its connections, whatever runs on them.
    func cut() {
        for connection in shared.state.withLock({ $0.connections }) { connection.close(promise: nil) }
    }

    /// Ends all that `wait`.
    func finish() {
        let unfinished = shared.state.withLock { state in
            defer { state.unfinished = [] }
            return state.unfinished
        }
        for promise in unfinished { promise.succeed() }
    }

    func stop() async throws { try await channel.close() }
}

extension HTTP2Frame {
    /// - Parameter last: the last stream that was looked at.
    fileprivate static func leaving(after last: HTTP2StreamID) -> HTTP2Frame {
        HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil))
    }
}

/// One stream of the stand-in.
private final class WishedAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let shared: MultiplexedStandIn.Shared
    private var body = ""
    private var isOpen = false
    private var finished: EventLoopPromise<Void>?

    init(_ shared: MultiplexedStandIn.Shared) { self.shared = shared }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): shared.state.withLock { $0.fields.append(head.headers) }
        case .body(let bytes): body += String(buffer: bytes)
        case .end: answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        isOpen = true
        switch MultiplexedStandIn.Wish(rawValue: body) {
        case .wait:
            begin(context)
            let finished = context.eventLoop.makePromise(of: Void.self)
            finished.futureResult.assumeIsolated().whenSuccess { self.end(context) }
            self.finished = finished
            shared.state.withLock { $0.unfinished.append(finished) }
        case .silence: break
        case .hint:
            for _ in 0..<2 {
                let head = HTTPResponseHead(
                    version: .http2, status: .custom(code: 103, reasonPhrase: ""), headers: ["content-length": "7"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
            }
            begin(context, "after hints")
            end(context)
        case .pour:
            context.write(wrapOutboundOut(.head(.init(version: .http2, status: .ok))), promise: nil)
            pour(MultiplexedStandIn.pouredBytes, context)
        case nil:
            begin(context, "echo " + body)
            end(context)
        }
    }

    private func begin(_ context: ChannelHandlerContext, _ text: String = "first") {
        context.write(wrapOutboundOut(.head(.init(version: .http2, status: .ok))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }

    private func end(_ context: ChannelHandlerContext) {
        isOpen = false
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// A piece whenever the one before is on its way.
    private func pour(_ bytes: Int, _ context: ChannelHandlerContext) {
        guard bytes > 0 else { return end(context) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { self.pour(bytes - (1 << 20), context) }
        let piece = ByteBuffer(repeating: 0x62, count: 1 << 20)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))), promise: written)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finished?.fail(ChannelError.ioOnClosedChannel)
        if isOpen { shared.reset() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
