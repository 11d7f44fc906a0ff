import NIOCore
import NIOHTTP1
import Testing

@testable import Proxy

@Suite(.timeLimit(.minutes(2))) struct ForwardingTests {
    @Test func aCallGoesThroughAndItsAnswerComesBack() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{\"model\":\"m\"}"))
            let answer = await client.text(containing: "{\"hello\":true}")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.lowercased().contains("content-length: 14"))
            #expect(await proxy.handler.ends(1) == [.complete])
            let request = upstream.requests[0]
            #expect(request.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\n"))
            #expect(request.lowercased().contains("host: 127.0.0.1:\(upstream.port)\r\n"))
            #expect(request.hasSuffix("\r\n\r\n{\"model\":\"m\"}"))
        }
        try await upstream.stop()
    }

    @Test func oneConnectionToTheUpstreamServesManyRequests() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            for _ in 0..<3 {
                let client = try await proxy.connect()
                for _ in 0..<3 {
                    client.send(TestProxy.get())
                    await client.text(containing: "{\"hello\":true}")
                    _ = client.take()
                }
                client.close()
            }
            #expect(upstream.requests.count == 9)
            #expect(upstream.wires.count == 1)
        }
        try await upstream.stop()
    }

    @Test func requestsSentAheadAreAnsweredOneAfterTheOther() async throws {
        let upstream = try await StandIn.start { request, wire in
            let path = String(request.split(separator: " ")[1])
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)")
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(
                (1...20).map { TestProxy.get("/\($0)") }.joined() + TestProxy.get("/last", "Connection: close\r\n"))
            let answers = await client.whole()
            let order = answers.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix { $0 != "H" } }
            #expect(order.map(String.init) == (1...20).map { "/\($0)" } + ["/last"])
        }
        try await upstream.stop()
    }

    @Test func whatIsAskedBeforeSomethingThatIsNoHTTPIsAnswered() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            for asked in [1, 3, 20] {
                let client = try await proxy.connect()
                client.send((1...asked).map { TestProxy.get("/\($0)") }.joined() + "this is no request\r\n\r\n")
                let answers = await client.whole()
                #expect(answers.ranges(of: "{\"hello\":true}").count == asked, "\(asked): \(answers)")
            }
        }
        try await upstream.stop()
    }

    @Test func whatComesAfterSomethingThatIsNoHTTPDoesNotEndTheCall() async throws {
        let upstream = try await StandIn.start { _, _ in }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get("/slow"))
            _ = await upstream.requests(1)
            for _ in 0..<3 { try await client.sent("this is no request\r\n\r\n") }
            upstream.wires[0].send(StandIn.hello)
            let answer = await client.whole()
            // Read only after the call has ended, it is another request, which is refused.
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("{\"hello\":true}"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func chunksThatComeTogetherPassTogether() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n"
                    + "9\r\ndata: 3\n\n\r\n0\r\n\r\n")
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            let answer = await client.text(containing: "\r\n0\r\n\r\n")
            #expect(answer.hasSuffix("\r\n\r\n1b\r\ndata: 1\n\ndata: 2\n\ndata: 3\n\n\r\n0\r\n\r\n"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func anAnswerPassesChunkByChunk() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            wire.send("9\r\ndata: 1\n\n\r\n")
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            let first = await client.text(containing: "data: 1\n\n\r\n")
            #expect(first.lowercased().contains("transfer-encoding: chunked"))
            #expect(first.hasSuffix("9\r\ndata: 1\n\n\r\n"))
            upstream.wires[0].send("9\r\ndata: 2\n\n\r\n")
            #expect(await client.text(containing: "data: 2").hasSuffix("9\r\ndata: 2\n\n\r\n"))
            upstream.wires[0].send("0\r\n\r\n")
            #expect(await client.text(containing: "0\r\n\r\n").hasSuffix("\r\n0\r\n\r\n"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func whatTheObserverKeepsBackComesBeforeTheEnd() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        }
        let handler = Passing(to: upstream.address, rest: "kept") { _ in ByteBuffer() }
        try await TestProxy.with(handler) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get())
            #expect(await client.text(containing: "\r\n0\r\n\r\n").hasSuffix("\r\n\r\n4\r\nkept\r\n0\r\n\r\n"))
        }
        try await upstream.stop()
    }

    @Test func anAnswerThatEndsWithItsConnectionIsWhole() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\nuntil the end"))
                .whenComplete { _ in wire.close() }
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get())
            let answer = await client.text(containing: "0\r\n\r\n")
            #expect(answer.contains("until the end"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
        try await upstream.stop()
    }

    @Test func anAnswerToHEADHasNoBody() async throws {
        let upstream = try await StandIn.answering("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send("HEAD / HTTP/1.1\r\nHost: g\r\n\r\n")
            _ = await proxy.handler.ends(1)
            client.send("HEAD / HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
            let answers = await client.whole()
            #expect(answers.components(of: "HTTP/1.1 200 OK") == 2)
            #expect(answers.hasSuffix("\r\n\r\n"))
        }
        try await upstream.stop()
    }

    @Test func aClientOfHTTP10GetsItsAnswerAndTheEnd() async throws {
        let upstream = try await StandIn.start { _, wire in
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.0\r\n\r\n")
            let answer = await client.whole()
            #expect(answer.hasSuffix("\r\n\r\nabc"))
            #expect(answer.lowercased().contains("connection: close"))
            #expect(!answer.lowercased().contains("chunked"))
        }
        try await upstream.stop()
    }

    @Test func aRedirectionIsPassedOnAndNotFollowed() async throws {
        let upstream = try await StandIn.answering(
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get())
            #expect(await client.text(containing: "\r\n\r\n").hasPrefix("HTTP/1.1 302 Found\r\n"))
            #expect(await proxy.handler.ends(1) == [.complete])
            #expect(upstream.requests.count == 1)
        }
        try await upstream.stop()
    }
}

extension String {
    /// How often a text occurs.
    func components(of part: String) -> Int {
        var (count, rest) = (0, self[...])
        while let range = rest.range(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
