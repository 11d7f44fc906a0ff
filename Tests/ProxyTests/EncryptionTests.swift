import Foundation
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import Testing

@testable import Proxy

@Suite(.timeLimit(.minutes(2))) struct EncryptionTests {
    private static func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: name, withExtension: nil, subdirectory: "Fixtures")).path
    }

    private static func serverContext(_ languages: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(fixture("localhost.crt")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: fixture("localhost.key"), format: .pem)))
        configuration.applicationProtocols = languages
        return try NIOSSLContext(configuration: configuration)
    }

    private static func address(_ port: Int, trusted: Bool = true) throws -> UpstreamAddress {
        UpstreamAddress(
            host: "localhost", port: port, isTLS: true, authorities: trusted ? try fixture("localhost.crt") : nil)
    }

    /// Connects with these versions of TLS alone.
    /// - Returns: whether the two came to an agreement.
    private func handshake(_ port: Int, _ least: TLSVersion, _ most: TLSVersion) async throws -> Bool {
        var configuration = TLSConfiguration.makeClientConfiguration()
        (configuration.minimumTLSVersion, configuration.maximumTLSVersion) = (least, most)
        configuration.additionalTrustRoots = [.file(try Self.fixture("localhost.crt"))]
        let context = try NIOSSLContext(configuration: configuration)
        let done = Wire.group.next().makePromise(of: Bool.self)
        let channel = try await ClientBootstrap(group: Wire.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        try NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    try channel.pipeline.syncOperations.addHandler(HandshakeWatch(done))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        defer { channel.close(promise: nil) }
        return try await done.futureResult.get()
    }

    @Test func theProxySpeaksTLS13AndNothingOlder() async throws {
        let tls = ProxyTLS(certificate: try Self.fixture("localhost.crt"), key: try Self.fixture("localhost.key"))
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address), tls: tls) { proxy in
            #expect(proxy.server.url.hasPrefix("https://127.0.0.1:"))
            let newest = try await handshake(proxy.server.address.port, .tlsv13, .tlsv13)
            let older = try await handshake(proxy.server.address.port, .tlsv1, .tlsv12)
            #expect(newest && !older)
        }
        try await upstream.stop()
    }

    @Test func anEncryptedUpstreamOfHTTP1IsCalledAndItsConnectionKept() async throws {
        let upstream = try await StandIn.start(tls: Self.serverContext(["http/1.1"])) { _, wire in
            wire.send(StandIn.hello)
        }
        try await TestProxy.with(Passing(to: Self.address(upstream.port))) { proxy in
            let client = try await proxy.connect()
            for _ in 0..<3 {
                client.send(TestProxy.post("{}"))
                #expect(await client.text(containing: "{\"hello\":true}").hasPrefix("HTTP/1.1 200 OK"))
                _ = client.take()
            }
            #expect(upstream.requests.count == 3 && upstream.wires.count == 1)
        }
        try await upstream.stop()
    }

    @Test func anUpstreamWhoseCertificateNobodyVouchesForIsNotCalled() async throws {
        let upstream = try await StandIn.start(tls: Self.serverContext(["http/1.1"])) { _, wire in
            wire.send(StandIn.hello)
        }
        try await TestProxy.with(Passing(to: Self.address(upstream.port, trusted: false))) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func manyCallsShareOneConnectionOfHTTP2() async throws {
        let upstream = try await MultiplexedStandIn.start(Self.serverContext(["h2"]))
        try await TestProxy.with(Passing(to: Self.address(upstream.port))) { proxy in
            var clients: [Wire] = []
            for number in 0..<20 {
                let client = try await proxy.connect()
                client.send(
                    TestProxy.post("{\"n\":\(number)}", "X-Number: \(number)\r\nAuthorization: Bearer fo-x\r\n"))
                clients.append(client)
            }
            for (number, client) in clients.enumerated() {
                let answer = await client.text(containing: "0\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
                #expect(answer.contains("echo {\"n\":\(number)}"))
            }
            #expect(await proxy.handler.ends(20) == Array(repeating: .complete, count: 20))
            #expect(upstream.connections == 1)
            let fields = upstream.fields
            #expect(fields.allSatisfy { !$0.contains(name: "authorization") && $0.contains(name: "x-number") })
        }
        try await upstream.stop()
    }

    @Test func aClientThatGoesResetsItsStreamAlone() async throws {
        let upstream = try await MultiplexedStandIn.start(Self.serverContext(["h2"]))
        try await TestProxy.with(Passing(to: Self.address(upstream.port))) { proxy in
            let (staying, going) = (try await proxy.connect(), try await proxy.connect())
            going.send(TestProxy.post("wait"))
            await going.text(containing: "first")
            going.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            await upstream.streamReset()
            staying.send(TestProxy.post("{}"))
            #expect(await staying.text(containing: "0\r\n\r\n").contains("echo {}"))
            #expect(upstream.connections == 1)
        }
        try await upstream.stop()
    }
}

private final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let done: EventLoopPromise<Bool>
    private var isDone = false

    init(_ done: EventLoopPromise<Bool>) { self.done = done }

    private func end(_ value: Bool) {
        if !isDone { done.succeed(value) }
        isDone = true
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { end(true) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(false)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end(false) }
}

/// An upstream that speaks HTTP/2 and repeats what it is sent; `wait` gets a beginning and no end.
private final class MultiplexedStandIn: Sendable {
    private struct State {
        var connections = 0
        var fields: [HTTPHeaders] = []
        var resets = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private final class Shared: Sendable {
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

    var connections: Int { shared.state.withLock { $0.connections } }
    var fields: [HTTPHeaders] { shared.state.withLock { $0.fields } }

    private init(_ channel: any Channel, _ shared: Shared) {
        self.channel = channel
        self.shared = shared
        port = channel.localAddress?.port ?? 0
    }

    static func start(_ tls: NIOSSLContext) async throws -> MultiplexedStandIn {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: Wire.group)
            .childChannelInitializer { channel in
                shared.state.withLock { $0.connections += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                            try stream.pipeline.syncOperations.addHandler(Echo(shared))
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return MultiplexedStandIn(channel, shared)
    }

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

    func stop() async throws { try await channel.close() }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let shared: Shared
        private var body = ""
        private var isOpen = false

        init(_ shared: Shared) { self.shared = shared }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): shared.state.withLock { $0.fields.append(head.headers) }
            case .body(let bytes): body += String(buffer: bytes)
            case .end:
                context.write(wrapOutboundOut(.head(.init(version: .http2, status: .ok))), promise: nil)
                let text = body == "wait" ? "first" : "echo " + body
                isOpen = body == "wait"
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                if !isOpen { context.write(wrapOutboundOut(.end(nil)), promise: nil) }
                context.flush()
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            if isOpen { shared.reset() }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
