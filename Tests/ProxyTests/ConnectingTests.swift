import Glibc
import NIOCore
import Testing

@testable import Proxy

/// Upstreams to which no connection comes about, though nobody refuses one.
@Suite(.timeLimit(.minutes(2))) struct ConnectingTests {
    private static var times: ProxyTimes {
        var times = ProxyTimes()
        (times.connect, times.sweep) = (.milliseconds(500), .milliseconds(10))
        return times
    }

    @Test func aConnectionThatNobodyTakesInTimeIsA502() async throws {
        let full = try FullListener()
        defer { full.close() }
        let upstream = UpstreamAddress(host: "127.0.0.1", port: full.port, isTLS: false)
        try await TestProxy.with(Passing(to: upstream), times: Self.times) { proxy in
            let client = try await proxy.connect()
            client.send(TestProxy.post("{}"))
            #expect(await client.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            #expect(await proxy.handler.ends(1) == [.unreachable])
            #expect(proxy.handler.calls.map(\.isSent) == [false])
        }
    }

    /// Other calls wait for what the server says in its handshake, so one that says nothing would keep all of them for ever.
    @Test func aServerThatIsSilentInItsHandshakeIsConnectedToAnew() async throws {
        let upstream = try await MultiplexedStandIn.start(EncryptionTests.serverContext(["h2"]), silent: 1)
        try await TestProxy.with(Passing(to: EncryptionTests.address(upstream.port)), times: Self.times) { proxy in
            let first = try await proxy.connect()
            first.send(TestProxy.post("{}"))
            #expect(await first.text(containing: "instead: unreachable").hasPrefix("HTTP/1.1 502 "))
            // Who comes before the silent connection is given up shares its fate; on a slow machine a good one may be late.
            var answer = ""
            for _ in 0..<20 where !answer.contains("echo {}") {
                let next = try await proxy.connect()
                next.send(TestProxy.post("{}"))
                answer = await next.text { $0.contains("instead: unreachable") || $0.contains("0\r\n\r\n") }
                next.close()
            }
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("echo {}"))
        }
        try await upstream.stop()
    }
}

/// Listens, and has no room for another connection: the system leaves whoever comes without an answer.
private struct FullListener {
    let port: Int
    private let sockets: [CInt]

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 0) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        try #require(isBound)
        // A backlog of 0 holds one connection; the others hang.
        var sockets = [listener]
        for _ in 0..<4 {
            let waiting = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(waiting, $0, size) }
            }
            sockets.append(waiting)
        }
        self.sockets = sockets
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() {
        for socket in sockets { Glibc.close(socket) }
    }
}
