import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The connections of one event loop to one upstream: those that wait for work, and how new ones are made.
final class UpstreamHost {
    /// What its server speaks; known after the first connection over TLS.
    private enum Language { case unknown, http1, http2 }

    private let address: UpstreamAddress
    private let loop: any EventLoop
    private let turnEnd: TurnEnd
    private let times: ProxyTimes
    private let trust: UpstreamTrust
    private let logger: Logger
    private var language: Language
    /// The one used last is at the end and is used next, so that those that are too many grow old.
    private var idle: [UpstreamLink] = []
    private var multiplexed: [MultiplexedConnection] = []
    private var connecting = 0
    /// Calls that wait to learn whether they can share one connection.
    private var waiting: [UpstreamCall] = []
    private var isReachable = true

    init(
        _ address: UpstreamAddress, loop: any EventLoop, turnEnd: TurnEnd, times: ProxyTimes, trust: UpstreamTrust,
        logger: Logger
    ) {
        self.address = address
        self.loop = loop
        self.turnEnd = turnEnd
        self.times = times
        self.trust = trust
        self.logger = logger
        language = address.isTLS ? .unknown : .http1
    }

    func send(_ call: UpstreamCall) {
        if let shared = multiplexed.first(where: \.hasRoom) { return shared.send(call) }
        // A connection that was kept may turn out to be closed, and what has passed by then cannot be sent again.
        while call.request.rest == 0, let link = idle.popLast() {
            if link.isUsable { return link.send(call, isReuse: true) }
        }
        if language != .http1, connecting > 0 { return waiting.append(call) }
        connect(for: call)
    }

    private func connect(for call: UpstreamCall) {
        connecting += 1
        let connected: EventLoopFuture<UpstreamSocket>
        do {
            connected = try UpstreamSocket.open(
                address, on: loop, within: times.connect, idle: times.idle, trust: trust)
        } catch {
            return settle(call, .failure(error))
        }
        connected.assumeIsolated().whenComplete { self.settle(call, $0) }
    }

    private func settle(_ call: UpstreamCall, _ result: Result<UpstreamSocket, any Error>) {
        connecting -= 1
        do {
            let socket = try result.get()
            if !isReachable { logger.notice("reachable again", metadata: ["upstream": "\(address.authority)"]) }
            isReachable = true
            if socket.isHTTP2 { try share(socket, call) } else { try use(socket, call) }
        } catch {
            if isReachable {
                logger.warning(
                    "cannot be reached", metadata: ["upstream": "\(address.authority)", "error": "\(error)"])
            }
            isReachable = false
            let all = [call] + waiting
            waiting = []
            for call in all { call.failed() }
        }
    }

    private func use(_ socket: UpstreamSocket, _ call: UpstreamCall) throws {
        language = .http1
        let writer = RequestWriter()
        let link = UpstreamLink(owner: self, turnEnd: turnEnd, writer: writer)
        let pipeline = socket.channel.pipeline.syncOperations
        try pipeline.addHandler(writer)
        try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
        try pipeline.addHandler(link)
        if call.isWanted {
            link.send(call, isReuse: false)
        } else if call.request.rest == 0 {
            idle.append(link)
        } else {
            // Its like take none that was kept.
            link.close()
        }
        releaseWaiting()
    }

    private func share(_ socket: UpstreamSocket, _ call: UpstreamCall) throws {
        language = .http2
        let shared = try MultiplexedConnection(socket.channel, owner: self, turnEnd: turnEnd)
        multiplexed.append(shared)
        if call.isWanted { shared.send(call) }
        releaseWaiting()
    }

    private func releaseWaiting() {
        let all = waiting
        waiting = []
        for call in all where call.isWanted { send(call) }
    }

    func isGone(_ connection: MultiplexedConnection) { multiplexed.removeAll { $0 === connection } }

    /// Closes what has had nothing to do for long.
    func look(at now: NIODeadline) {
        let old = idle.prefix { $0.idleSince + times.pool < now }
        for link in old { link.close() }
        for connection in multiplexed where connection.isIdle(since: now - times.pool) { connection.close() }
    }
}

extension UpstreamHost: UpstreamLinkOwner {
    func isFree(_ link: UpstreamLink) { idle.append(link) }
    func isGone(_ link: UpstreamLink) { idle.removeAll { $0 === link } }
    func retry(_ call: UpstreamCall) {
        // A kept connection that broke says nothing good about the others that waited as long.
        for link in idle { link.close() }
        if let shared = multiplexed.first(where: \.hasRoom) { return shared.send(call) }
        connect(for: call)
    }
}
