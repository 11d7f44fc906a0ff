import ArgumentParser
import CLimits
import Foundation
import Glibc
import Runtime

/// The gateway beside nginx as a plain reverse proxy, to the same upstream and under the same load.
enum GatewayFigures {
    private static let connections: Int32 = 16
    private static let manyConnections: Int32 = 64
    /// A second: a company's traffic, where both cores are not busy all the time.
    private static let quietRate: Int32 = 2_000
    private static let idleConnections = 1_000

    static func figures(_ bench: Bench) async throws -> [Result] {
        let stand = try await GatewayStand.start(bench)
        do {
            // Both have their connections and pages before anything counts.
            for port in [stand.nginxPort, stand.gatewayPort] {
                _ = try await stand.load(port, connections: connections, seconds: 1)
                _ = try await stand.load(port, connections: connections, seconds: 1, streams: true)
            }
            let results =
                try await throughput(stand, bench) + latency(stand, bench) + streams(stand, bench)
                + memory(stand, bench)
            let promises = try await GatewayPromises.figures(stand, bench)
            await stand.stop()
            return results + promises
        } catch {
            await stand.stop()
            throw error
        }
    }

    private static func span(_ bench: Bench) -> Double { bench.quick ? 0.8 : 1.5 }

    private static func throughput(_ stand: GatewayStand, _ bench: Bench) async throws -> [Result] {
        var (nginxCost, ownCost): ([Double], [Double]) = ([], [])
        func rate(_ port: Int32, _ process: ChildProcess, _ costs: inout [Double]) async throws -> Double {
            let before = ProcessCost.cpuSeconds(process.pid)
            let load = try await stand.load(port, connections: connections, seconds: span(bench))
            costs.append((ProcessCost.cpuSeconds(process.pid) - before) / Double(load.answers) * 1e6)
            return Double(load.answers) / load.seconds
        }
        let (limit, ours) = try await bench.alternate(
            limit: { try await rate(stand.nginxPort, stand.nginx, &nginxCost) },
            ours: { try await rate(stand.gatewayPort, stand.gateway, &ownCost) })
        return [
            Result(
                figure: "gateway requests, 16 connections", value: ours, unit: "requests/s", limit: limit,
                bound: .ratioAtLeast(0.25), note: "limit: nginx as a plain reverse proxy"),
            Result(
                figure: "gateway processor time per request", value: Samples(ownCost), unit: "µs",
                limit: Samples(nginxCost), bound: .ratioAtMost(6), note: "limit: nginx"),
        ]
    }

    private static func latency(_ stand: GatewayStand, _ bench: Bench) async throws -> [Result] {
        let alone = try await added(stand, bench, connections: 1) { $0.median_ms }
        let crowded = try await added(stand, bench, connections: connections) { $0.p99_ms }
        let paced = try await added(stand, bench, connections: connections, rate: quietRate) { $0.p99_ms }
        return [
            Result(
                figure: "gateway added latency p50, 1 connection", value: alone.ours, unit: "ms", limit: alone.limit,
                bound: .atMost(0.2), note: "limit: what nginx adds"),
            Result(
                figure: "gateway added latency p99, 16 connections", value: crowded.ours, unit: "ms",
                limit: crowded.limit, bound: .atMost(3), note: "as many as are answered; limit: what nginx adds"),
            Result(
                figure: "gateway added latency p99, 16 connections, \(quietRate) requests/s", value: paced.ours,
                unit: "ms", limit: paced.limit, bound: .atMost(3), note: "limit: what nginx adds"),
        ]
    }

    /// What each adds to the upstream's own time, measured just before.
    private static func added(
        _ stand: GatewayStand, _ bench: Bench, connections: Int32, rate: Int32 = 0, streams: Bool = false,
        _ figure: (limit_http_load) -> Double
    ) async throws -> (limit: Samples, ours: Samples) {
        func difference(_ port: Int32) async throws -> Double {
            func time(_ port: Int32) async throws -> Double {
                figure(
                    try await stand.load(
                        port, connections: connections, rate: rate, seconds: span(bench) / 2, streams: streams))
            }
            let bare = try await time(stand.upstreamPort)
            return try await time(port) - bare
        }
        return try await bench.alternate(
            limit: { try await difference(stand.nginxPort) }, ours: { try await difference(stand.gatewayPort) })
    }

    private static func streams(_ stand: GatewayStand, _ bench: Bench) async throws -> [Result] {
        func rate(_ port: Int32) async throws -> Double {
            let load = try await stand.load(port, connections: connections, seconds: span(bench), streams: true)
            return Double(load.answers) / load.seconds
        }
        let rates = try await bench.alternate(
            limit: { try await rate(stand.nginxPort) }, ours: { try await rate(stand.gatewayPort) })
        let first = try await added(stand, bench, connections: 1, streams: true) { $0.first_byte_ms }
        return [
            Result(
                figure: "gateway streamed answers, 16 connections", value: rates.ours, unit: "answers/s",
                limit: rates.limit, bound: .ratioAtLeast(0.2), note: "20 chunks each; limit: nginx"),
            Result(
                figure: "gateway added time to first byte p50", value: first.ours, unit: "ms", limit: first.limit,
                bound: .atMost(0.4), note: "1 connection; limit: what nginx adds"),
        ]
    }

    private static func memory(_ stand: GatewayStand, _ bench: Bench) async throws -> [Result] {
        async let load = stand.load(stand.gatewayPort, connections: manyConnections, seconds: span(bench))
        var busy: [Double] = []
        for _ in 0..<5 {
            try await Task.sleep(for: .seconds(span(bench) / 6))
            busy.append(ProcessCost.residentMegabytes(stand.gateway.pid))
        }
        _ = try await load
        let sockets = try (0..<idleConnections).map { _ in try connected(stand.gatewayPort) }
        defer { for socket in sockets { close(socket) } }
        try await Task.sleep(for: .seconds(2))
        let idle = ProcessCost.residentMegabytes(stand.gateway.pid)
        return [
            Result(
                figure: "gateway memory, 64 connections", value: Samples(busy), unit: "MB (RSS)", limit: nil,
                bound: .atMost(64)),
            Result(
                figure: "gateway memory, 1,000 idle connections", value: Samples([idle]), unit: "MB (RSS)", limit: nil,
                bound: .atMost(128)),
        ]
    }

    static func connected(_ port: Int32) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        guard result == 0 else {
            defer { close(descriptor) }
            throw SystemError("connect to port \(port)")
        }
        return descriptor
    }
}

/// An upstream that answers at once; prints its port.
struct HTTPUpstreamChild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "http-upstream-child", shouldDisplay: false)

    func run() async throws {
        var port: Int32 = 0
        let listener = limit_http_listen(&port)
        print(port)
        fflush(nil)
        // Whoever started it may be killed.
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) > 0 {}
            Glibc.exit(0)
        }
        throw LimitFailed(what: "serve", code: Double(limit_http_serve(listener)))
    }
}
