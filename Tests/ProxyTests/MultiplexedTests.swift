import NIOCore
import NIOHTTP1
import Testing

@testable import Proxy

/// Upstreams that speak HTTP/2: many calls on one connection, and each ends by itself.
@Suite(.timeLimit(.minutes(2))) struct MultiplexedTests {
    private func withUpstream(
        times: ProxyTimes = ProxyTimes(), _ work: (TestProxy, MultiplexedStandIn) async throws -> Void
    ) async throws {
        let upstream = try await MultiplexedStandIn.start(EncryptionTests.serverContext(["h2"]))
        try await TestProxy.with(Passing(to: EncryptionTests.address(upstream.port)), times: times) { proxy in
            try await work(proxy, upstream)
        }
        try await upstream.stop()
    }

    private func ask(_ proxy: TestProxy, _ body: String) async throws -> Wire {
        let client = try await proxy.connect()
        client.send(TestProxy.post(body))
        return client
    }

    /// Expects that a new call is answered, and says on how many connections there were answers by then.
    private func expectAnswer(_ proxy: TestProxy, _ upstream: MultiplexedStandIn, connections: Int) async throws {
        let answer = await (try await ask(proxy, "{}")).text(containing: "0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("echo {}"))
        #expect(upstream.connections == connections)
    }

    @Test func manyCallsShareOneConnection() async throws {
        try await withUpstream { proxy, upstream in
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
    }

    @Test func interimAnswersAreNotTheAnswer() async throws {
        try await withUpstream { proxy, upstream in
            let answer = await (try await ask(proxy, "hint")).text(containing: "0\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("after hints") && !answer.contains("103"))
            #expect(await proxy.handler.ends(1) == [.complete])
        }
    }

    /// Only of a stream that is refused it is known that nobody has looked at it.
    @Test func aCallOnAConnectionThatBreaksIsNotSentAgain() async throws {
        try await withUpstream { proxy, upstream in
            try await expectAnswer(proxy, upstream, connections: 1)
            let client = try await ask(proxy, "silence")
            while upstream.fields.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            upstream.cut()
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            try await expectAnswer(proxy, upstream, connections: 2)
            #expect(upstream.fields.count == 3)
        }
    }

    @Test func aClientThatGoesResetsItsStreamAlone() async throws {
        try await withUpstream { proxy, upstream in
            let going = try await ask(proxy, "wait")
            await going.text(containing: "first")
            going.close()
            #expect(await proxy.handler.ends(1) == [.clientGone])
            await upstream.streamReset()
            try await expectAnswer(proxy, upstream, connections: 1)
        }
    }

    @Test func anAnswerWaitsWithTheUpstreamForASlowClientAndTheOthersDoNot() async throws {
        try await withUpstream { proxy, upstream in
            let client = try await Wire.connect(proxy.server.address.port, readsAtOnce: false, receiveBuffer: 65_536)
            client.send(TestProxy.post("pour"))
            #expect(try await proxy.bytesAtRest() < MultiplexedStandIn.pouredBytes / 2)
            try await expectAnswer(proxy, upstream, connections: 1)
            let slow = proxy.handler.calls[0]
            #expect(slow.bytes < MultiplexedStandIn.pouredBytes / 2 && slow.end == nil)
            try await client.channel.setOption(.autoRead, value: true).get()
            await client.received(MultiplexedStandIn.pouredBytes)
            #expect(await proxy.handler.ends(2) == [.complete, .complete])
            #expect(proxy.handler.calls[0].bytes == MultiplexedStandIn.pouredBytes)
        }
    }

    @Test func aConnectionThatBreaksCutsItsCallsOffAndIsReplaced() async throws {
        try await withUpstream { proxy, upstream in
            let waiting = try await ask(proxy, "wait")
            await waiting.text(containing: "first")
            let other = try await ask(proxy, "wait")
            await other.text(containing: "first")
            upstream.cut()
            #expect(await other.whole().hasSuffix("5\r\nfirst\r\n"))
            #expect(await waiting.whole().hasSuffix("5\r\nfirst\r\n"))
            #expect(await proxy.handler.ends(2) == [.upstreamCut, .upstreamCut])
            try await expectAnswer(proxy, upstream, connections: 2)
        }
    }

    @Test func aConnectionThatTakesNothingNewEndsWhatRuns() async throws {
        try await withUpstream { proxy, upstream in
            let running = try await ask(proxy, "wait")
            await running.text(containing: "first")
            try await upstream.goAway()
            // What it said may still be on its way here: what is refused there is asked for elsewhere.
            try await expectAnswer(proxy, upstream, connections: 2)
            upstream.finish()
            #expect(await running.text(containing: "0\r\n\r\n").hasSuffix("5\r\nfirst\r\n0\r\n\r\n"))
            #expect(await proxy.handler.ends(2) == [.complete, .complete])
        }
    }

    @Test func anAnswerThatDoesNotBeginInTimeIsA504AndItsStreamIsReset() async throws {
        var times = ProxyTimes()
        (times.firstByte, times.sweep) = (.milliseconds(500), .milliseconds(10))
        try await withUpstream(times: times) { proxy, upstream in
            let silent = try await ask(proxy, "silence")
            #expect(await silent.text(containing: "instead: timed-out").hasPrefix("HTTP/1.1 504 "))
            #expect(await proxy.handler.ends(1) == [.timedOut])
            await upstream.streamReset()
        }
    }

    @Test func anAnswerThatDoesNotGoOnIsCutOffAndItsStreamIsReset() async throws {
        var times = ProxyTimes()
        (times.idle, times.sweep) = (.milliseconds(500), .milliseconds(10))
        try await withUpstream(times: times) { proxy, upstream in
            let waiting = try await ask(proxy, "wait")
            #expect(await waiting.whole().hasSuffix("5\r\nfirst\r\n"))
            #expect(await proxy.handler.ends(1) == [.timedOut])
            await upstream.streamReset()
        }
    }
}
