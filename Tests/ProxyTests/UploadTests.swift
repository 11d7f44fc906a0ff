import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

/// Requests that go on before they are whole.
@Suite(.timeLimit(.minutes(3)), .serialized) struct UploadTests {
    private static let beginning = String(repeating: "b", count: 70_000)
    private static let clear = "X-Clear-After: 66000\r\n"

    private static func head(_ length: Int, _ fields: String = clear) -> String {
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: g\r\nContent-Length: \(length)\r\n\(fields)\r\n"
    }

    /// The upstream's side, when it has the beginning of a request.
    private func arrival(_ upstream: StandIn, connection: Int = 0) async throws -> Wire {
        while upstream.wires.count <= connection { try await Task.sleep(for: .milliseconds(5)) }
        let wire = upstream.wires[connection]
        await wire.received(60_000)
        return wire
    }

    @Test func itsBeginningIsThereBeforeItsEnd() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            for number in 0..<2 {
                client.send(Self.head(200_000) + Self.beginning)
                // Each on a connection of its own: what has passed could not be sent again.
                let wire = try await arrival(upstream, connection: number)
                #expect(proxy.handler.calls[number].isSent == false && upstream.requests.count == number)
                let rest = String(repeating: "r", count: 129_995) + "(end)"
                client.send(rest)
                #expect(await client.text(containing: "{\"hello\":true}").hasPrefix("HTTP/1.1 200 OK"))
                _ = client.take()
                let request = await upstream.requests(number + 1)[number]
                #expect(request.lowercased().contains("\r\ncontent-length: 200000\r\n"))
                #expect(request.hasSuffix("\r\n\r\n" + Self.beginning + rest))
                #expect(await proxy.handler.ends(number + 1).allSatisfy { $0 == .complete })
                #expect(proxy.handler.calls[number].isSent)
                // Kept, they would grow in number.
                _ = await wire.whole()
            }
            client.send(TestProxy.post("{}") + TestProxy.get())
            #expect(await upstream.requests(4).count == 4)
            #expect(upstream.wires.count == 3)
        }
        try await upstream.stop()
    }

    @Test func anUpstreamThatTakesNothingHoldsTheClientBackAndIsNotItsFault() async throws {
        let upstream = try await Sink.start()
        var times = ProxyTimes()
        times.bodyPause = .seconds(2)
        times.body = .seconds(6)
        var limits = ProxyLimits()
        limits.bodyBytes = 128 << 20
        try await TestProxy.with(Passing(to: upstream.address), limits: limits, times: times) { proxy in
            let client = try await proxy.connect()
            let (pieces, size) = (64, 1 << 20)
            client.send(Self.head(Self.beginning.utf8.count + pieces * size) + Self.beginning)
            let piece = ByteBuffer(repeating: 0x70, count: size)
            let passed = Mutex(0)
            for _ in 0..<pieces {
                client.channel.writeAndFlush(piece).whenSuccess { passed.withLock { $0 += 1 } }
            }
            // What sockets hold, and no more, waits for longer than a client may pause.
            try await Task.sleep(for: .seconds(7))
            #expect(passed.withLock { $0 } < pieces / 2 && client.count == 0)
            try await upstream.takeAll()
            #expect(await client.text(containing: "taken").hasPrefix("HTTP/1.1 200 OK"))
            #expect(upstream.bytes == Self.beginning.utf8.count + pieces * size)
        }
        try await upstream.stop()
    }

    @Test func aClientThatGoesTakesItWithIt() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(200_000) + Self.beginning)
            let wire = try await arrival(upstream)
            client.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            #expect(proxy.handler.calls.map(\.isSent) == [false])
            _ = await wire.whole()
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    /// However early it leaves, no connection is kept for it.
    @Test func clientsThatGoAtOnceLeaveNothingBehind() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var times = ProxyTimes()
        times.pool = .seconds(600)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            for number in 1...30 {
                let client = try await proxy.connect()
                try await client.sent(Self.head(200_000) + Self.beginning)
                client.close()
                while proxy.handler.calls.count < number { try await Task.sleep(for: .milliseconds(1)) }
            }
            #expect(await proxy.handler.ends(30).allSatisfy { $0 == .clientGone })
            for wire in upstream.wires { _ = await wire.whole() }
        }
        try await upstream.stop()
    }

    @Test func aClientThatDawdlesIsTold() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var times = ProxyTimes()
        times.bodyPause = .seconds(1)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(200_000) + Self.beginning)
            let wire = try await arrival(upstream)
            #expect(await client.whole().hasPrefix("HTTP/1.1 408 "))
            #expect(await proxy.handler.ends(1) == [.unfinished])
            _ = await wire.whole()
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func whatTurnsOutToBeWrongDoesNotReachItsEnd() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(70_004) + Self.beginning)
            let wire = try await arrival(upstream)
            client.send("bad!")
            #expect(await client.text(containing: "no such form").hasPrefix("HTTP/1.1 400 "))
            #expect(await proxy.handler.ends(1) == [.unfinished])
            #expect(proxy.handler.calls.map(\.isSent) == [false])
            _ = await wire.whole()
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func anAnswerBeforeTheEndReachesTheClientWhateverItStillSends() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(20 << 20) + Self.beginning)
            let wire = try await arrival(upstream)
            try await wire.channel.setOption(.autoRead, value: false).get()
            wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch")
            let piece = ByteBuffer(repeating: 0x70, count: 1 << 20)
            for _ in 0..<18 where !client.isClosed {
                do { try await client.channel.writeAndFlush(piece) } catch { break }  // closed by then
            }
            let answer = await client.whole()
            #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.lowercased().contains("\r\nconnection: close\r\n"))
            #expect(answer.hasSuffix("much"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func anUpstreamThatBreaksIsA502() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(200_000) + Self.beginning)
            try await arrival(upstream).close()
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(await proxy.handler.ends(1) == [.unreachable])
            #expect(upstream.wires.count == 1 && proxy.handler.calls.map(\.isSent) == [false])
        }
        try await upstream.stop()
    }

    @Test func anUpstreamThatTakesNoMoreIsA504() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var times = ProxyTimes()
        times.idle = .milliseconds(500)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(30 << 20) + Self.beginning)
            try await arrival(upstream).channel.setOption(.autoRead, value: false).get()
            client.channel.writeAndFlush(ByteBuffer(repeating: 0x70, count: 20 << 20), promise: nil)
            #expect(await client.text(containing: "instead: timed-out").hasPrefix("HTTP/1.1 504 "))
            #expect(await proxy.handler.ends(1) == [.timedOut])
        }
        try await upstream.stop()
    }

    /// Without a length the reader is asked for late: it has to have all of the body all the same.
    @Test func aReaderOfABodyWithoutALengthReadsItsBeginningToo() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            for (first, status) in [("fine", "200 OK"), ("bad!", "400 Bad Request")] {
                let client = try await proxy.connect()
                client.send(
                    "POST / HTTP/1.1\r\nHost: g\r\nX-Clear-After: 10000000\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\(first)\r\n"
                )
                client.send("11170\r\n" + Self.beginning + "\r\n0\r\n\r\n")
                #expect(
                    await client.text { $0.contains("hello") || $0.contains("no such form") }.hasPrefix(
                        "HTTP/1.1 \(status)"))
            }
            #expect(upstream.requests.count == 1 && upstream.requests[0].hasSuffix("fine" + Self.beginning))
        }
        try await upstream.stop()
    }

    @Test func aRefusalComesBeforeItsEnd() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(20 << 20, Self.clear + "X-No: 1\r\n") + Self.beginning)
            #expect(await client.text(containing: "\r\n\r\nno").hasPrefix("HTTP/1.1 403 "))
            #expect(upstream.wires.isEmpty)
        }
        try await upstream.stop()
    }

    /// What is on its way takes memory, too.
    @Test func uploadsTogetherAreBounded() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var limits = ProxyLimits()
        limits.allBodiesBytes = 500_000
        try await TestProxy.with(Passing(to: upstream.address), limits: limits) { proxy in
            let first = try await proxy.connect()
            first.send(Self.head(200_000) + Self.beginning)
            _ = try await arrival(upstream)
            let second = try await proxy.connect()
            second.send(Self.head(200_000) + Self.beginning)
            #expect(await second.text(containing: "overloaded").hasPrefix("HTTP/1.1 503 "))
            first.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            let third = try await proxy.connect()
            third.send(Self.head(200_000) + Self.beginning)
            _ = try await arrival(upstream, connection: 1)
        }
        try await upstream.stop()
    }

    @Test func anUpstreamOfManyCallsGetsItInPieces() async throws {
        let upstream = try await MultiplexedStandIn.start(EncryptionTests.serverContext(["h2"]))
        try await TestProxy.with(Passing(to: EncryptionTests.address(upstream.port))) { proxy in
            let client = try await proxy.connect()
            client.send(Self.head(4 << 20) + Self.beginning)
            while upstream.fields.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            #expect(upstream.fields[0].first(name: "content-length") == "\(4 << 20)")
            #expect(proxy.handler.calls.map(\.isSent) == [false])
            client.send(String(repeating: "r", count: (4 << 20) - Self.beginning.utf8.count - 5) + "(end)")
            let answer = await client.text(containing: "0\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("(end)"))
            #expect(answer.utf8.count { $0 == UInt8(ascii: "r") } >= (4 << 20) - Self.beginning.utf8.count - 5)
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }
}

/// An upstream that takes nothing until it is told to, then all.
private final class Sink: Sendable {
    private struct State {
        var server: (any Channel)?
        var connection: (any Channel)?
        var bytes = 0
    }

    private let state = Mutex(State())
    /// Of the body, as far as it has come.
    var bytes: Int { state.withLock { $0.bytes } }

    static func start() async throws -> Sink {
        let sink = Sink()
        let server = try await ServerBootstrap(group: Wire.group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    sink.state.withLock { $0.connection = channel }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Counting(sink))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        sink.state.withLock { $0.server = server }
        return sink
    }

    var address: UpstreamAddress {
        UpstreamAddress(
            host: "127.0.0.1", port: state.withLock { $0.server?.localAddress?.port } ?? 0, isTLS: false)
    }

    func takeAll() async throws { try await state.withLock { $0.connection }?.setOption(.autoRead, value: true).get() }
    func stop() async throws { try await state.withLock { $0.server }?.close() }

    private final class Counting: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let sink: Sink

        init(_ sink: Sink) { self.sink = sink }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head: break
            case .body(let piece): sink.state.withLock { $0.bytes += piece.readableBytes }
            case .end:
                let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "5"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "taken")))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
