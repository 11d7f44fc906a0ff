import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import Proxy

/// An upstream that says, byte for byte, what a test wants.
final class StandIn: Sendable {
    private struct State {
        var requests: [String] = []
        var wires: [Wire] = []
        var waiting: [(requests: Int, resume: CheckedContinuation<Void, Never>)] = []
    }

    let port: Int
    private let channel: any Channel
    private let state: Shared

    /// What accepting connections and the test share.
    private final class Shared: Sendable {
        let state = Mutex(State())

        func took(_ request: String) {
            let ready = state.withLock { state in
                state.requests.append(request)
                let count = state.requests.count
                let ready = state.waiting.filter { $0.requests <= count }
                state.waiting.removeAll { $0.requests <= count }
                return ready
            }
            for waiting in ready { waiting.resume.resume() }
        }
    }

    /// - Parameter answer: called with each whole request; says what it wants over the wire.
    static func start(
        tls: NIOSSLContext? = nil, _ answer: @escaping @Sendable (String, Wire) -> Void
    ) async throws -> StandIn {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: Wire.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    let wire = try Wire.attach(to: channel) { wire in
                        while let request = wire.takeRequest() {
                            shared.took(request)
                            answer(request, wire)
                        }
                    }
                    shared.state.withLock { $0.wires.append(wire) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return StandIn(channel, shared)
    }

    /// Always the same answer.
    static func answering(_ text: String) async throws -> StandIn {
        try await start { _, wire in wire.send(text) }
    }

    /// A small JSON answer with its length.
    static let hello = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"hello\":true}"

    private init(_ channel: any Channel, _ shared: Shared) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        state = shared
    }

    var address: UpstreamAddress { UpstreamAddress(host: "127.0.0.1", port: port, isTLS: false) }
    var requests: [String] { state.state.withLock { $0.requests } }
    var wires: [Wire] { state.state.withLock { $0.wires } }

    func requests(_ count: Int) async -> [String] {
        await withCheckedContinuation { continuation in
            let isReady = state.state.withLock { state in
                if state.requests.count >= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return requests
    }

    func stop() async throws {
        try await channel.close()
        for wire in wires { wire.close() }
    }
}

extension Wire {
    /// The next whole request, if there is one: its end is told by `Content-Length`.
    fileprivate func takeRequest() -> String? {
        let text = self.text
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.upperBound]
        let length =
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.drop { $0 != ":" }.dropFirst().filter { $0 != " " }) } ?? 0
        let size = head.utf8.count + length
        guard text.utf8.count >= size else { return nil }
        let rest = String(decoding: Array(text.utf8.dropFirst(size)), as: UTF8.self)
        let request = String(decoding: Array(text.utf8.prefix(size)), as: UTF8.self)
        _ = take()
        if !rest.isEmpty { putBack(rest) }
        return request
    }
}
