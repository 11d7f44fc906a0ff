import NIOCore
import Testing

@testable import Proxy

/// Calls that end otherwise than they should.
@Suite(.timeLimit(.minutes(2))) struct EndingTests {
    private static let streamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"

    @Test func aClientThatGoesTakesItsCallWithIt() async throws {
        let upstream = try await StandIn.start { _, wire in wire.send(Self.streamHead) }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            await client.text(containing: "first")
            client.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            _ = await upstream.wires[0].whole()
            #expect(upstream.wires[0].isClosed)
        }
        try await upstream.stop()
    }

    @Test func aClientThatGoesBeforeTheAnswerTakesItsCallWithIt() async throws {
        let upstream = try await StandIn.start { _, _ in }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            _ = await upstream.requests(1)
            client.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            #expect(proxy.handler.calls.map(\.isSent) == [true])
            _ = await upstream.wires[0].whole()
        }
        try await upstream.stop()
    }

    @Test func anAnswerThatIsCutOffIsSeenToBeCutOff() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.channel.writeAndFlush(ByteBuffer(string: Self.streamHead)).whenComplete { _ in wire.close() }
        }
        try await TestProxy.with(Passing(to: upstream.address, rest: "rest")) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            let answer = await client.whole()
            #expect(answer.hasSuffix("5\r\nfirst\r\n4\r\nrest\r\n"))
            #expect(await proxy.handler.ends(1) == [.upstreamCut])
        }
        try await upstream.stop()
    }

    @Test func anAnswerShorterThanItsLengthIsCutOff() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour"))
                .whenComplete { _ in wire.close() }
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.whole().hasSuffix("\r\n\r\nfour"))
            #expect(await proxy.handler.ends(1) == [.upstreamCut])
        }
        try await upstream.stop()
    }

    @Test func anUpstreamThatIsNotThereIsA502AndTheConnectionIsKept() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await upstream.stop()
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            for number in 1...2 {
                client.send(TestProxy.post("{}"))
                #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
                #expect(await proxy.handler.ends(number).count == number)
                _ = client.take()
            }
            #expect(await proxy.handler.ends(2) == [.unreachable, .unreachable])
        }
    }

    @Test func anUpstreamThatSaysSomethingElseThanHTTPIsA502() async throws {
        let upstream = try await StandIn.answering("SSH-2.0-OpenSSH_9.2\r\n")
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(await proxy.handler.ends(1) == [.unreachable])
            #expect(upstream.requests.count == 1)
        }
        try await upstream.stop()
    }

    @Test func aKeptConnectionThatWasClosedMeanwhileIsReplacedOnce() async throws {
        // Closes what it is asked on a connection for the second time, without a word.
        let upstream = try await StandIn.start { request, wire in
            if request.contains("/again"), wire.answered > 0 { return wire.close() }
            wire.answered += 1
            wire.send(StandIn.hello)
        }
        var times = ProxyTimes()
        times.stale = .seconds(60)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get("/first"))
            await client.text(containing: "{\"hello\":true}")
            _ = client.take()
            client.send(TestProxy.get("/again"))
            #expect(await client.text(containing: "{\"hello\":true}").hasPrefix("HTTP/1.1 200 OK"))
            #expect(await proxy.handler.ends(2) == [.complete, .complete])
            #expect(upstream.requests.count == 3 && upstream.wires.count == 2)
        }
        try await upstream.stop()
    }

    /// A model may have been at work: what comes of it is charged, and must not be asked for twice.
    @Test func aCallThatWasReadAndDroppedLaterIsNotSentAgain() async throws {
        let upstream = try await StandIn.start { request, wire in
            guard request.contains("/again") else { return wire.send(StandIn.hello) }
            wire.channel.eventLoop.scheduleTask(in: .milliseconds(20)) { wire.close() }
        }
        var times = ProxyTimes()
        times.stale = .milliseconds(5)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get("/first"))
            await client.text(containing: "{\"hello\":true}")
            _ = client.take()
            client.send(TestProxy.get("/again"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(await proxy.handler.ends(2) == [.complete, .unreachable])
            #expect(upstream.requests.count == 2)
        }
        try await upstream.stop()
    }

    @Test func aNewConnectionThatBreaksIsNotTriedAgain() async throws {
        let upstream = try await StandIn.start { _, wire in wire.close() }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(upstream.requests.count == 1)
        }
        try await upstream.stop()
    }

    @Test func anAnswerThatHasBegunIsNotAskedForAgain() async throws {
        let upstream = try await StandIn.start { request, wire in
            if request.contains("/first") { return wire.send(StandIn.hello) }
            wire.channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Len")).whenComplete { _ in
                wire.close()
            }
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get("/first"))
            await client.text(containing: "{\"hello\":true}")
            _ = client.take()
            client.send(TestProxy.get("/second"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(upstream.requests.count == 2)
        }
        try await upstream.stop()
    }

    @Test func anUpstreamThatDoesNotAnswerIsA504() async throws {
        let upstream = try await StandIn.start { _, _ in }
        var times = ProxyTimes()
        (times.firstByte, times.sweep) = (.milliseconds(50), .milliseconds(10))
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: timed-out").hasPrefix("HTTP/1.1 504 "))
            #expect(await proxy.handler.ends(1) == [.timedOut])
            _ = await upstream.wires[0].whole()
        }
        try await upstream.stop()
    }

    @Test func anAnswerThatDoesNotGoOnIsCutOff() async throws {
        let upstream = try await StandIn.start { _, wire in wire.send(Self.streamHead) }
        var times = ProxyTimes()
        (times.idle, times.sweep) = (.milliseconds(50), .milliseconds(10))
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.whole().hasSuffix("5\r\nfirst\r\n"))
            #expect(await proxy.handler.ends(1) == [.timedOut])
        }
        try await upstream.stop()
    }

    @Test func anUnusedConnectionToTheUpstreamIsClosed() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var times = ProxyTimes()
        (times.pool, times.sweep) = (.milliseconds(50), .milliseconds(10))
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get())
            await client.text(containing: "{\"hello\":true}")
            _ = await upstream.wires[0].whole()
            #expect(upstream.wires[0].isClosed)
        }
        try await upstream.stop()
    }

    @Test func whatRunsEndsBeforeTheProgramDoes() async throws {
        let upstream = try await StandIn.start { _, wire in wire.send(Self.streamHead) }
        let handler = Passing(to: upstream.address)
        try await TestProxy.with(handler) { proxy in
            let (idle, busy) = (try await proxy.connect(), try await proxy.connect())
            busy.send(TestProxy.post("{}"))
            await busy.text(containing: "first")
            async let stopped: Void = proxy.server.stop(within: .seconds(60))
            _ = await idle.whole()
            upstream.wires[0].send("0\r\n\r\n")
            #expect(await busy.whole().hasSuffix("0\r\n\r\n"))
            try await stopped
            #expect(await handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func whatDoesNotEndIsCut() async throws {
        let upstream = try await StandIn.start { _, wire in wire.send(Self.streamHead) }
        let handler = Passing(to: upstream.address)
        try await TestProxy.with(handler) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            await client.text(containing: "first")
            try await proxy.server.stop(within: .milliseconds(20))
            #expect(await handler.ends(1) == [.stopped])
            #expect(await client.whole().hasSuffix("5\r\nfirst\r\n"))
        }
        try await upstream.stop()
    }
}
