package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// The reverse proxy: takes requests, asks its handler about each, and passes calls on to their upstreams.
package final class ProxyServer: Sendable {
    /// Where it listens, with the port that the system chose.
    package let address: ListenAddress
    /// The same as a URL.
    package let url: String
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let contexts: [LoopPlace]
    private let open: OpenConnections
    private let isStopping = Atomic(false)

    private init(
        address: ListenAddress, url: String, group: MultiThreadedEventLoopGroup, channel: any Channel,
        contexts: [LoopPlace], open: OpenConnections
    ) {
        self.address = address
        self.url = url
        self.group = group
        self.channel = channel
        self.contexts = contexts
        self.open = open
    }

    /// How many clients are connected.
    package var connections: Int { open.count }

    /// Listens and serves until `stop`.
    /// - Throws: `ProxyFailure` with what to do about it.
    package static func start(
        _ configuration: ProxyConfiguration, handler: any CallHandling, logger: Logger
    ) async throws -> ProxyServer {
        guard configuration.tls != nil || configuration.listen.isLoopback else {
            throw ProxyFailure(
                "\(configuration.listen) is reachable from other machines, where plain HTTP would show every key: "
                    + "give a certificate and its key, or listen on 127.0.0.1")
        }
        let tls = try configuration.tls.map { try serverContext($0) }
        let trust = try UpstreamTrust()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.threads))
        do {
            return try await bind(configuration, handler, tls, trust, group, logger)
        } catch {
            try await group.shutdownGracefully()
            throw ProxyFailure("cannot listen on \(configuration.listen): \(error)")
        }
    }

    private static func bind(
        _ configuration: ProxyConfiguration, _ handler: any CallHandling, _ tls: NIOSSLContext?, _ trust: UpstreamTrust,
        _ group: MultiThreadedEventLoopGroup, _ logger: Logger
    ) async throws -> ProxyServer {
        let budget = BodyBudget(limit: configuration.limits.allBodiesBytes)
        var contexts: [LoopPlace] = []
        for loop in group.makeIterator() {
            contexts.append(
                try await loop.submit {
                    let context = LoopContext(
                        loop: loop, configuration: configuration, handler: handler, budget: budget, trust: trust,
                        logger: logger)
                    context.startSweeping()
                    return LoopPlace(loop: loop, bound: NIOLoopBound(context, eventLoop: loop))
                }.get())
        }
        let byLoop = Dictionary(uniqueKeysWithValues: contexts.map { (ObjectIdentifier($0.loop), $0.bound) })
        let open = OpenConnections(limit: configuration.limits.connections)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelInitializer { channel in
                guard open.enter() else { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
                channel.closeFuture.whenComplete { _ in open.leave() }
                return channel.eventLoop.makeCompletedFuture {
                    guard let context = byLoop[ObjectIdentifier(channel.eventLoop)]?.value else { return }
                    try addHandlers(channel.pipeline.syncOperations, context, tls)
                }
            }
        let channel = try await bootstrap.bind(host: configuration.listen.host, port: configuration.listen.port).get()
        LoopPlacement.begin(contexts.map(\.loop), logger: logger)
        let address = ListenAddress(host: configuration.listen.host, port: channel.localAddress?.port ?? 0)
        return ProxyServer(
            address: address, url: (tls == nil ? "http" : "https") + "://\(address)", group: group, channel: channel,
            contexts: contexts, open: open)
    }

    private static func addHandlers(
        _ pipeline: ChannelPipeline.SynchronousOperations, _ context: LoopContext, _ tls: NIOSSLContext?
    ) throws {
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        let limits = context.configuration.limits
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.headerBytes
        decoding.maxHeaderListSize = limits.headerBytes
        decoding.maxHeaderFieldCount = limits.headerFields
        let connection = ServerConnection(shared: context)
        if tls != nil { connection.deadline = .now() + context.configuration.times.head }
        try pipeline.addHandler(ArrivalWatch(connection))
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: decoding)))
        try pipeline.addHandler(connection)
    }

    /// TLS 1.3 and nothing else.
    private static func serverContext(_ tls: ProxyTLS) throws -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(tls.certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: tls.key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ProxyFailure(
                "the certificate \(tls.certificate) with the key \(tls.key) cannot be used: both must be PEM files "
                    + "that belong to each other (\(error))")
        }
    }

    /// Accepts nothing more, lets what runs end, and cuts what is left then. Doing it again does nothing.
    /// - Parameter limit: how long running calls may take.
    package func stop(within limit: TimeAmount = .seconds(8)) async throws {
        guard !isStopping.exchange(true, ordering: .relaxed) else { return }
        // Closed already if the machine took the socket away; what runs must end all the same.
        try? await channel.close()
        let ends = contexts.map { place in
            let done = place.loop.makePromise(of: Void.self)
            place.loop.execute {
                place.bound.value.stop(done)
                place.loop.scheduleTask(in: limit) { place.bound.value.cut() }
            }
            return done.futureResult
        }
        for end in ends { try await end.get() }
        try await group.shutdownGracefully()
    }
}

/// An event loop and what only it may touch.
private struct LoopPlace: Sendable {
    let loop: any EventLoop
    let bound: NIOLoopBound<LoopContext>
}

/// Counts the clients of all event loops.
final class OpenConnections: Sendable {
    private let limit: Int
    private let number = Atomic<Int>(0)

    init(limit: Int) { self.limit = limit }

    var count: Int { number.load(ordering: .relaxed) }

    func enter() -> Bool {
        if number.add(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    func leave() { number.subtract(1, ordering: .relaxed) }
}
