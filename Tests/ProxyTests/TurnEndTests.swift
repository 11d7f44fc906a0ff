import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

@Suite struct TurnEndTests {
    @Test func sendingWaitsForTheEndOfTheTurnAndTakesInWhatItBrings() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let log = Log()
        try await loop.submit {
            let turnEnd = TurnEnd(loop: loop)
            let late = Connection("late", log)
            turnEnd.send(Connection("first", log) { turnEnd.send(late) })
            turnEnd.send(Connection("second", log))
            log.add("turn")
            // Asked for before anything was sent, and a turn of its own afterwards.
            loop.assumeIsolated().execute {
                log.add("next turn")
                turnEnd.send(Connection("third", log))
                log.add("its end")
            }
        }.get()
        try await loop.submit {}.get()
        try await loop.submit {}.get()
        #expect(log.lines == ["turn", "first", "second", "late", "next turn", "its end", "third"])
    }

    /// Between an answer's end and the turn's, the program may be told to stop.
    @Test func anAnswerIsSentBeforeItsConnectionIsClosed() throws {
        let answered = try Answered()
        #expect(try answered.channel.readOutbound(as: ByteBuffer.self) == nil)
        answered.connection.stop()
        try answered.expectAnswer()
        #expect(!answered.channel.isActive)
    }

    /// A client that is slow has the end of its answer from here after the call has ended, and is no client with nothing to do.
    @Test(arguments: [true, false]) func aConnectionIsOpenUntilItsClientHasTakenTheAnswer(isStopping: Bool) throws {
        let answered = try Answered()
        answered.client.isSlow = true
        answered.channel.embeddedEventLoop.run()
        if isStopping { answered.connection.stop() } else { answered.connection.look(at: .now() + .hours(1)) }
        answered.channel.embeddedEventLoop.run()
        #expect(answered.channel.isActive)
        answered.client.take()
        try answered.expectAnswer()
        #expect(!answered.channel.isActive)
    }
}

/// A connection whose first request has got its answer.
private struct Answered {
    let channel = EmbeddedChannel()
    let client = SlowClient()
    let connection: ServerConnection

    init() throws {
        let context = LoopContext(
            loop: channel.embeddedEventLoop,
            configuration: ProxyConfiguration(listen: ListenAddress(host: "127.0.0.1", port: 0)), handler: Undecided(),
            budget: BodyBudget(limit: 1_000), trust: try UpstreamTrust(), logger: Logger(label: "test"))
        connection = ServerConnection(shared: context)
        try channel.pipeline.syncOperations.addHandler(client)
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        connection.bytesArrived()
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/", headers: ["host": "gateway"])
        try channel.writeInbound(HTTPServerRequestPart.head(head))
        try channel.writeInbound(HTTPServerRequestPart.end(nil))
        connection.begin(.ok, ["content-length": "2"])
        connection.ended(.complete, ByteBuffer(string: "ok"))
    }

    func expectAnswer() throws {
        let answer = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: answer).hasSuffix("\r\n\r\nok"))
        channel.embeddedEventLoop.run()
    }
}

/// Takes what is written when it pleases.
private final class SlowClient: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    var isSlow = false
    private var context: ChannelHandlerContext?
    private var left: [(data: NIOAny, promise: EventLoopPromise<Void>?)] = []

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isSlow { left.append((data, promise)) } else { context.write(data, promise: promise) }
    }

    func take() {
        isSlow = false
        for piece in left { context?.write(piece.data, promise: piece.promise) }
        left = []
        context?.flush()
    }
}

/// Never says what is to become of a request.
private struct Undecided: CallHandling {
    func begin(_ request: ProxyRequest, then: @escaping @Sendable (ProxyDecision) -> Void) {}
    func answer(to problem: ProxyProblem, target: String?) -> ProxyAnswer {
        ProxyAnswer(status: problem.status, headers: [:], body: ByteBuffer())
    }
}

private final class Log: Sendable {
    private let all = Mutex<[String]>([])
    var lines: [String] { all.withLock { $0 } }
    func add(_ line: String) { all.withLock { $0.append(line) } }
}

private final class Connection: TurnEndSending {
    private let name: String
    private let log: Log
    private let then: () -> Void

    init(_ name: String, _ log: Log, then: @escaping () -> Void = {}) {
        self.name = name
        self.log = log
        self.then = then
    }

    func sendWhatIsWritten() {
        log.add(name)
        then()
    }
}
