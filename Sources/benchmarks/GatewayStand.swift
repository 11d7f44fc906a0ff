import CLimits
import Foundation
import Glibc
import JSON
import Runtime

/// The real gateway and nginx side by side before one upstream that answers at once; calls are metered and kept as ever.
struct GatewayStand {
    let upstreamPort: Int32
    let nginxPort: Int32
    let gatewayPort: Int32
    let nginx: ChildProcess
    let gateway: ChildProcess
    /// Of the gateway; nginx and the upstream take any.
    let key: String
    private let upstream: ChildProcess
    let log: LogProcess

    private static let patience = Duration.seconds(30)

    static func start(_ bench: Bench) async throws -> GatewayStand {
        let (upstream, upstreamPort) = try await startUpstream()
        let directory = StateDirectory(path: bench.fresh("gateway").path)
        let key = try await prepare(directory, upstreamPort, bench)
        let log = try await LogProcess.start(at: directory.path)
        let (gateway, gatewayPort) = try await startGateway(in: directory)
        let (nginx, nginxPort) = try startNginx(bench, upstreamPort)
        try await untilListening(nginxPort, nginx)
        return GatewayStand(
            upstreamPort: upstreamPort, nginxPort: nginxPort, gatewayPort: gatewayPort, nginx: nginx, gateway: gateway,
            key: key, upstream: upstream, log: log)
    }

    /// Another gateway, or the same one once more, as soon as it serves.
    static func startGateway(in directory: StateDirectory, named name: String = "gateway") async throws -> (
        ChildProcess, Int32
    ) {
        let gateway = try ChildProcess(
            .init(
                path: try ProgramLocator.beside().path(of: "gateway"),
                arguments: [
                    "run", "--name", name, "--lifeline", "--log-level", "warning", "--dir", directory.path,
                ], hasLifeline: true))
        return (gateway, try await port(of: directory, gateway, name))
    }

    func stop() async {
        _ = await gateway.stop()
        _ = await nginx.stop()
        _ = await upstream.stop()
        await log.stop()
    }

    private static func startUpstream() async throws -> (ChildProcess, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("make a pipe") }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let child = try ChildProcess(
            .init(path: own, arguments: ["http-upstream-child"], hasLifeline: true, standardOutput: ends[1]))
        close(ends[1])
        defer { close(ends[0]) }
        guard let port = Int32(await firstLine(of: ends[0])) else { throw ChildGone(exit: child.exit) }
        return (child, port)
    }

    private static func firstLine(of descriptor: Int32) async -> String {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var line: [UInt8] = []
                var byte: UInt8 = 0
                while read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
                continuation.resume(returning: String(decoding: line, as: UTF8.self))
            }
        }
    }

    /// A directory with an upstream and a key.
    private static func prepare(_ directory: StateDirectory, _ port: Int32, _ bench: Bench) async throws -> String {
        let file = bench.fresh("provider-key")
        try Data("sk-bench-0123456789abcdef".utf8).write(to: file)
        try await finops(["init", "-q"], directory)
        try await finops(["team", "add", "bench"], directory)
        try await finops(["project", "add", "bench", "--team", "bench"], directory)
        try await finops(
            [
                "upstream", "set", "openai", "--name", "bench", "--base-url", "http://127.0.0.1:\(port)/v1",
                "--key-file",
                file.path,
            ], directory)
        return try await issueKey(directory).key
    }

    static func issueKey(_ directory: StateDirectory) async throws -> (id: String, key: String) {
        let issued = try JSONValue.parse(
            try await finops(["key", "issue", "--project", "bench", "--json"], directory))
        guard let id = issued["id"]?.string, let key = issued["key"]?.string else {
            throw StandFailed(what: "no key was issued")
        }
        return (id, key)
    }

    @discardableResult
    static func finops(_ arguments: [String], _ directory: StateDirectory) async throws -> String {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("make a pipe") }
        let child = try ChildProcess(
            .init(
                path: try ProgramLocator.beside().path(of: "finops"), arguments: arguments + ["--dir", directory.path],
                standardOutput: ends[1]))
        close(ends[1])
        defer { close(ends[0]) }
        let exit = await child.waitForExit()
        guard exit.isSuccess else { throw ProgramFailed(program: "finops \(arguments[0])", exit: exit) }
        // What it says is far smaller than a pipe. Read before `prefix` takes the array: it would take it as it was.
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(ends[0], &bytes, bytes.count)
        guard count >= 0 else { throw SystemError("read what finops \(arguments[0]) says") }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private static func port(of directory: StateDirectory, _ gateway: ChildProcess, _ name: String) async throws
        -> Int32
    {
        let socket = try directory.healthSocket(stage: name)
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline, gateway.exit == nil {
            if let url = HealthClient.readiness(socket: socket)?["listen"]?.string,
                let port = url.split(separator: ":").last.flatMap({ Int32($0) })
            {
                return port
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ChildGone(exit: gateway.exit)
    }

    private static func startNginx(_ bench: Bench, _ upstreamPort: Int32) throws -> (ChildProcess, Int32) {
        let folder = bench.fresh("nginx")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var port: Int32 = 0
        // The system's choice, free again at once.
        close(limit_http_listen(&port))
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(folder.path)/\($0);"
        }
        let configuration = """
            \(geteuid() == 0 ? "user root;" : "")
            daemon off; worker_processes 2; pid \(folder.path)/pid; error_log \(folder.path)/error.log;
            events { worker_connections 4096; }
            http {
                access_log off; keepalive_requests 100000000; \(temporary.joined(separator: " "))
                upstream provider { server 127.0.0.1:\(upstreamPort); keepalive 128; keepalive_requests 100000000; }
                server {
                    listen 127.0.0.1:\(port);
                    location / {
                        proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_buffering off;
                    }
                }
            }
            """
        let file = folder.appending(path: "nginx.conf")
        try Data(configuration.utf8).write(to: file)
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/nginx" }
        guard let program = places.first(where: FileManager.default.isExecutableFile) else {
            throw StandFailed(what: "nginx is missing: Ops/bench fetches it")
        }
        let child = try ChildProcess(
            .init(path: program, arguments: ["-p", folder.path, "-c", file.path, "-e", "stderr"]))
        return (child, port)
    }

    private static func untilListening(_ port: Int32, _ server: ChildProcess) async throws {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline, server.exit == nil {
            do {
                close(try GatewayFigures.connected(port))
                return
            } catch is SystemError { try await Task.sleep(for: .milliseconds(20)) }
        }
        throw ChildGone(exit: server.exit)
    }

    // MARK: Load

    /// What is asked for, as an application would.
    static func request(_ key: String, streams: Bool) -> String {
        let body =
            "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
            + "{\"role\":\"user\",\"content\":\"Hello!\"}],\"max_tokens\":64\(streams ? ",\"stream\":true" : "")}"
        return "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(key)\r\n"
            + "Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: bench\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// - Parameters:
    ///   - rate: requests a second in all; 0 for as many as are answered.
    ///   - seconds: how long.
    func load(
        _ port: Int32, connections: Int32, rate: Int32 = 0, seconds: Double, streams: Bool = false
    ) async throws -> limit_http_load {
        let request = Self.request(key, streams: streams)
        let (code, result): (Int32, limit_http_load) = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var result = limit_http_load()
                let code = limit_http_load(port, connections, rate, seconds, request, streams ? 1 : 0, &result)
                continuation.resume(returning: (code, result))
            }
        }
        guard code == 0, result.answers > 0 else { throw LimitFailed(what: "load on port \(port)", code: Double(code)) }
        return result
    }
}

struct StandFailed: Error { let what: String }
