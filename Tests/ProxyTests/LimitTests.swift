import Glibc
import Logging
import NIOCore
import Testing

@testable import Proxy

/// What clients may not do to the proxy.
@Suite(.timeLimit(.minutes(3)), .serialized) struct LimitTests {
    @Test func aHundredMegabytesAreRefusedAtOnceAndNotHeld() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            let before = residentBytes()
            try await client.sent("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 104857600\r\n\r\n")
            #expect(await client.text(containing: "bodyTooLarge").hasPrefix("HTTP/1.1 413 "))
            // It sends what it has all the same, and is let: a reset would take the answer away from it.
            let piece = ByteBuffer(repeating: 0x61, count: 1 << 20)
            var sent = 0
            while sent < 100, !client.isClosed {
                do { try await client.channel.writeAndFlush(piece) } catch { break }  // closed by then
                sent += 1
            }
            #expect(residentBytes() - before < 24 << 20)
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func aHundredMegabytesWithoutALengthAreRefusedWhenTheyAreTooMany() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        var limits = ProxyLimits()
        limits.bodyBytes = 4 << 20
        try await TestProxy.with(Passing(to: upstream.address), limits: limits) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
            let piece = ByteBuffer(string: "100000\r\n" + String(repeating: "a", count: 1 << 20) + "\r\n")
            for _ in 0..<100 where !client.isClosed && client.count == 0 {
                do { try await client.channel.writeAndFlush(piece) } catch { break }  // closed by then
            }
            #expect(await client.text(containing: "bodyTooLarge").hasPrefix("HTTP/1.1 413 "))
        }
        try await upstream.stop()
    }

    @Test func allBodiesTogetherAreBounded() async throws {
        let upstream = try await StandIn.start { _, _ in }
        var limits = ProxyLimits()
        limits.allBodiesBytes = 10_000
        try await TestProxy.with(Passing(to: upstream.address), limits: limits) { proxy in
            let first = try await proxy.connect()
            first.send(TestProxy.post(String(repeating: "a", count: 6_000)))
            _ = await upstream.requests(1)
            let second = try await proxy.connect()
            second.send(TestProxy.post(String(repeating: "a", count: 6_000)))
            #expect(await second.whole().hasPrefix("HTTP/1.1 503 "))
            first.close()
            _ = await proxy.handler.ends(1)
            let third = try await proxy.connect()
            third.send(TestProxy.post(String(repeating: "a", count: 6_000)))
            #expect(await upstream.requests(2).count == 2)
        }
        try await upstream.stop()
    }

    /// Else three strangers could take the memory of everybody.
    @Test(arguments: ["Content-Length: 1000000\r\n", "Content-Length: 1000000\r\nExpect: 100-continue\r\n"])
    func aLargeBodyOfWhomNobodyKnowsIsNotWaitedFor(_ fields: String) async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: g\r\nX-Unknown: yes\r\n\(fields)\r\n")
            #expect(await client.text(containing: "unknown").hasPrefix("HTTP/1.1 401 "))
            #expect(upstream.requests.isEmpty && proxy.handler.calls.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func aBodyWithoutALengthIsNotHeldForThemEither() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            let piece = "10000\r\n" + String(repeating: "a", count: 65_536) + "\r\n"
            client.send("POST / HTTP/1.1\r\nHost: g\r\nX-Unknown: yes\r\nTransfer-Encoding: chunked\r\n\r\n" + piece)
            client.send(piece)
            #expect(await client.text(containing: "unknown").hasPrefix("HTTP/1.1 401 "))
            #expect(upstream.requests.isEmpty && proxy.handler.calls.isEmpty)
        }
        try await upstream.stop()
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: g\r\nX-A: " + String(repeating: "a", count: 40_000) + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: g\r\n"
            + String(repeating: "X-A: " + String(repeating: "a", count: 900) + "\r\n", count: 60)
            + "\r\n",
        "GET / HTTP/1.1\r\nHost: g\r\n" + String(repeating: "X-A: a\r\n", count: 150) + "\r\n",
        "GET /" + String(repeating: "a", count: 40_000) + " HTTP/1.1\r\nHost: g\r\n\r\n",
    ]) func headsThatAreTooLargeAreRefused(_ head: String) async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(head)
            #expect(await client.whole().hasPrefix("HTTP/1.1 431 "))
            #expect(upstream.requests.isEmpty)
        }
        try await upstream.stop()
    }

    @Test func aHeadThatComesSlowlyIsGivenUp() async throws {
        var times = ProxyTimes()
        (times.head, times.sweep) = (.milliseconds(50), .milliseconds(10))
        let nowhere = UpstreamAddress(host: "127.0.0.1", port: 1, isTLS: false)
        try await TestProxy.with(Passing(to: nowhere), times: times) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost")
            #expect(await client.whole().hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func aBodyThatComesSlowlyIsGivenUp() async throws {
        var times = ProxyTimes()
        (times.bodyPause, times.sweep) = (.milliseconds(50), .milliseconds(10))
        let nowhere = UpstreamAddress(host: "127.0.0.1", port: 1, isTLS: false)
        try await TestProxy.with(Passing(to: nowhere), times: times) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\nabc")
            #expect(await client.whole().hasPrefix("HTTP/1.1 408 "))
            #expect(proxy.handler.calls.isEmpty)
        }
    }

    @Test func aConnectionWithoutRequestsIsClosed() async throws {
        var times = ProxyTimes()
        (times.keepAlive, times.sweep) = (.seconds(2), .milliseconds(10))
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            // Asked at once: on a busy machine making another connection takes its time.
            let served = try await proxy.connect()
            served.send(TestProxy.get())
            let silent = try await proxy.connect()
            #expect(await served.whole().hasSuffix("{\"hello\":true}"))
            #expect(await silent.whole().isEmpty)
        }
        try await upstream.stop()
    }

    @Test func aThousandSlowClientsDoNotKeepOthersOut() async throws {
        raiseFileLimit()
        var times = ProxyTimes()
        // None of the slow ones is given up before all are there, however busy the machine is.
        (times.head, times.bodyPause, times.body) = (.minutes(5), .minutes(5), .minutes(5))
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let before = residentBytes()
            var slow: [Wire] = []
            for number in 0..<1_000 {
                let client = try await proxy.connect()
                client.send(
                    number.isMultiple(of: 2)
                        ? "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nX-Slow"
                        : "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1000000\r\n\r\n{")
                slow.append(client)
            }
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "{\"hello\":true}").hasPrefix("HTTP/1.1 200 OK"))
            #expect(proxy.server.connections == 1_001)
            // Both ends of every connection are in this process.
            #expect(residentBytes() - before < 96 << 20)
            for client in slow { client.close() }
        }
        try await upstream.stop()
    }

    @Test func moreConnectionsThanAllowedAreClosedAtOnce() async throws {
        var limits = ProxyLimits()
        limits.connections = 2
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address), limits: limits) { proxy in
            let first = try await proxy.connect()
            let second = try await proxy.connect()
            first.send(TestProxy.get())
            second.send(TestProxy.get())
            await first.text(containing: "{\"hello\":true}")
            await second.text(containing: "{\"hello\":true}")
            let third = try await proxy.connect()
            #expect(await third.whole().isEmpty)
        }
        try await upstream.stop()
    }

    @Test func anAnswerWaitsWithTheUpstreamForASlowClient() async throws {
        // Writes a megabyte whenever the one before is with the system, 64 in all.
        let upstream = try await StandIn.start { _, wire in
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
            Self.pour(64, into: wire)
        }
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await Wire.connect(proxy.server.address.port, readsAtOnce: false, receiveBuffer: 65_536)
            let before = residentBytes()
            client.send(TestProxy.post("{}"))
            #expect(try await proxy.bytesAtRest() < 32 << 20)
            #expect(residentBytes() - before < 24 << 20)
            try await client.channel.setOption(.autoRead, value: true).get()
            await client.received(64 << 20)
            #expect(await proxy.handler.ends(1) == [.complete])
            #expect(proxy.handler.calls[0].bytes == 64 << 20)
        }
        try await upstream.stop()
    }

    private static func pour(_ megabytes: Int, into wire: Wire) {
        guard megabytes > 0 else { return }
        wire.channel.writeAndFlush(ByteBuffer(repeating: 0x62, count: 1 << 20)).whenSuccess { _ in
            pour(megabytes - 1, into: wire)
        }
    }

    @Test func aClientThatTakesNothingIsGivenUp() async throws {
        var times = ProxyTimes()
        (times.send, times.sweep) = (.milliseconds(200), .milliseconds(10))
        let upstream = try await StandIn.start { _, wire in
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
            Self.pour(64, into: wire)
        }
        try await TestProxy.with(Passing(to: upstream.address), times: times) { proxy in
            let client = try await Wire.connect(proxy.server.address.port, readsAtOnce: false, receiveBuffer: 65_536)
            client.send(TestProxy.post("{}"))
            #expect(await proxy.handler.ends(1) == [.clientGone])
            client.close()
        }
        try await upstream.stop()
    }

    @Test func aClientThatAsksFirstIsToldToGoOn() async throws {
        let upstream = try await StandIn.answering(StandIn.hello)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(await client.text(containing: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("{}")
            await client.text(containing: "{\"hello\":true}")
            #expect(!upstream.requests[0].lowercased().contains("expect"))
        }
        try await upstream.stop()
    }

    @Test func aPlainAddressForOtherMachinesIsRefused() async {
        let configuration = ProxyConfiguration(listen: ListenAddress(host: "0.0.0.0", port: 0))
        await #expect(throws: ProxyFailure.self) {
            _ = try await ProxyServer.start(
                configuration, handler: Passing(to: UpstreamAddress(host: "127.0.0.1", port: 1, isTLS: false)),
                logger: Logger(label: "proxy") { _ in SwiftLogNoOpLogHandler() })
        }
    }

    private func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return 0 }
        let text = line.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4_096
    }

    private func raiseFileLimit() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
