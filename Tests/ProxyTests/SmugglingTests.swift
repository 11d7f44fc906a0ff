import Testing

@testable import Proxy

/// Requests that two servers in a row could read differently.
@Suite(.timeLimit(.minutes(2))) struct SmugglingTests {
    struct Attempt: CustomTestStringConvertible, Sendable {
        let name: String
        let request: String
        var status = "400"
        var testDescription: String { name }
    }

    static let attempts = [
        Attempt(
            name: "both lengths",
            request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Attempt(
            name: "both lengths, the other way round",
            request: "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        Attempt(
            name: "two lengths",
            request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        Attempt(
            name: "the same length twice",
            request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        Attempt(name: "a list of lengths", request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1, 1\r\n\r\na"),
        Attempt(name: "a signed length", request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: +1\r\n\r\na"),
        Attempt(name: "a negative length", request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: -1\r\n\r\na"),
        Attempt(
            name: "a length beyond counting",
            request: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 99999999999999999999\r\n\r\na"),
        Attempt(
            name: "an unknown coding",
            request: "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Attempt(
            name: "a coding that is almost chunked",
            request: "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        Attempt(
            name: "chunked twice",
            request:
                "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        Attempt(
            name: "chunked in HTTP/1.0",
            request: "POST / HTTP/1.0\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Attempt(name: "a bare line feed", request: "GET / HTTP/1.1\nHost: g\n\n"),
        Attempt(name: "a bare line feed behind a field", request: "GET / HTTP/1.1\r\nHost: g\nX-A: b\r\n\r\n"),
        Attempt(
            name: "a bare carriage return in a field", request: "GET / HTTP/1.1\r\nHost: g\r\nX-A: b\rX-C: d\r\n\r\n"),
        Attempt(name: "a folded field", request: "GET / HTTP/1.1\r\nHost: g\r\nX-A: b\r\n c\r\n\r\n"),
        Attempt(name: "space before the colon", request: "GET / HTTP/1.1\r\nHost: g\r\nX-A : b\r\n\r\n"),
        Attempt(name: "an empty field name", request: "GET / HTTP/1.1\r\nHost: g\r\n: b\r\n\r\n"),
        Attempt(name: "a zero byte in a field", request: "GET / HTTP/1.1\r\nHost: g\r\nX-A: b\u{0}c\r\n\r\n"),
        Attempt(name: "no host", request: "GET / HTTP/1.1\r\n\r\n"),
        Attempt(name: "two hosts", request: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        Attempt(name: "another server's address", request: "GET http://169.254.169.254/ HTTP/1.1\r\nHost: g\r\n\r\n"),
        Attempt(name: "no path", request: "OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n"),
        Attempt(name: "HTTP/2 without an agreement", request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Attempt(
            name: "a tunnel", request: "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", status: "405"),
        Attempt(name: "a trace", request: "TRACE / HTTP/1.1\r\nHost: g\r\n\r\n", status: "405"),
        Attempt(
            name: "another protocol",
            request: "GET / HTTP/1.1\r\nHost: g\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", status: "501"),
        Attempt(
            name: "another expectation", request: "GET / HTTP/1.1\r\nHost: g\r\nExpect: miracles\r\n\r\n", status: "417"
        ),
        Attempt(name: "no HTTP at all", request: "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{FC}"),
    ]

    @Test(arguments: attempts) func isRefusedAndNothingOfItReachesTheUpstream(_ attempt: Attempt) async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(attempt.request + TestProxy.get("/smuggled"))
            let answer = await client.whole()
            #expect(answer.hasPrefix("HTTP/1.1 \(attempt.status) "), "\(answer)")
            #expect(answer.components(of: "HTTP/1.1") == 1)
            #expect(answer.lowercased().contains("connection: close"))
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func aBodyInChunksReachesTheUpstreamWithItsLength() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n"
            )
            let request = await upstream.requests(1)[0]
            #expect(request.lowercased().contains("content-length: 7\r\n"))
            #expect(!request.lowercased().contains("chunked") && !request.contains("X-T"))
            #expect(request.hasSuffix("\r\n\r\nabcdefg"))
        }
        try await upstream.stop()
    }

    @Test func anAnswerWithMoreThanItsLengthDoesNotBecomeTheNextOne() async throws {
        let upstream = try await StandIn.answering(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.get("/1"))
            #expect(await client.text(containing: "ok").hasSuffix("\r\n\r\nok"))
            client.send(TestProxy.get("/2"))
            _ = await upstream.requests(2)
            _ = await proxy.handler.ends(2)
            #expect(!client.text.contains("poison"))
            #expect(upstream.wires.count == 2)
        }
        try await upstream.stop()
    }
}
