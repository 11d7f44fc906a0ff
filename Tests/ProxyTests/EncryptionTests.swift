import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Testing

@testable import Proxy

@Suite(.timeLimit(.minutes(2))) struct EncryptionTests {
    static func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: name, withExtension: nil, subdirectory: "Fixtures")).path
    }

    static func serverContext(_ languages: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(fixture("localhost.crt")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: fixture("localhost.key"), format: .pem)))
        configuration.applicationProtocols = languages
        return try NIOSSLContext(configuration: configuration)
    }

    static func address(_ port: Int, host: String = "localhost", trusted: Bool = true) throws
        -> UpstreamAddress
    {
        UpstreamAddress(host: host, port: port, isTLS: true, authorities: trusted ? try fixture("localhost.crt") : nil)
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
        try await expectNotCalled { try Self.address($0, trusted: false) }
    }

    /// Whoever answers a look-up decides where a name leads: `127.1` leads to this machine and stands in no certificate.
    @Test func aServerToWhichANameLeadsHasToProveThatName() async throws {
        try await expectNotCalled { try Self.address($0, host: "127.1") }
    }

    @Test(arguments: [
        ("api.example.com", "api.example.com", true), ("API.example.COM", "api.example.com.", true),
        ("*.example.com", "api.example.com", true), ("*.example.com", "example.com", false),
        ("*.example.com", "a.api.example.com", false), ("*.example.com", ".example.com", false),
        ("*", "localhost", false), ("a*.example.com", "api.example.com", false),
        ("example.com", "api.example.com", false),
    ])
    func aNameStandsInItsCertificate(_ pattern: String, _ host: String, _ isProven: Bool) {
        #expect(CertificateName.matches(pattern, host) == isProven)
    }

    private func expectNotCalled(_ address: (Int) throws -> UpstreamAddress) async throws {
        let upstream = try await StandIn.start(tls: Self.serverContext(["http/1.1"])) { _, wire in
            wire.send(StandIn.hello)
        }
        try await TestProxy.with(Passing(to: address(upstream.port))) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(!upstream.wires.isEmpty, "it was reached")
            #expect(upstream.requests.isEmpty)
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
