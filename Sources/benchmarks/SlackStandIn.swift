import Foundation
import Glibc
import Runtime
import Synchronization

/// Takes Slack's place on this machine: it answers every request with `ok` and remembers when each began to arrive.
final class SlackStandIn: Sendable {
    let port: UInt16
    private let listener: Int32
    private let arrivals = Mutex<[ContinuousClock.Instant]>([])

    var count: Int { arrivals.withLock { $0.count } }

    func arrival(_ number: Int) -> ContinuousClock.Instant? {
        arrivals.withLock { number < $0.count ? $0[number] : nil }
    }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { raw in
            let pointer = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
        }
        guard isBound, listen(descriptor, 16) == 0 else { throw SystemError("listen") }
        listener = descriptor
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in serve() }
    }

    func close() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else {
                _ = Glibc.close(listener)
                return
            }
            Thread.detachNewThread { [self] in answer(connection) }
        }
    }

    /// Request after request, until the other side has no more.
    private func answer(_ connection: Int32) {
        defer { _ = Glibc.close(connection) }
        var pending: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connection, &piece, piece.count, 0)
            guard count > 0 else { return }
            if pending.isEmpty { arrivals.withLock { $0.append(.now) } }
            pending += piece.prefix(count)
            guard let length = Self.length(of: pending), pending.count >= length else { continue }
            pending.removeFirst(length)
            let reply = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok".utf8)
            guard send(connection, reply, reply.count, Int32(MSG_NOSIGNAL)) == reply.count else { return }
        }
    }

    /// Bytes of a whole request; nil while its head is incomplete.
    private static func length(of bytes: [UInt8]) -> Int? {
        let head = String(decoding: bytes, as: UTF8.self)
        guard let end = head.range(of: "\r\n\r\n") else { return nil }
        let lines = head[..<end.lowerBound].lowercased().split(separator: "\r\n")
        let body = lines.first { $0.hasPrefix("content-length:") }.flatMap {
            Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces))
        }
        return head[..<end.upperBound].utf8.count + (body ?? 0)
    }
}
