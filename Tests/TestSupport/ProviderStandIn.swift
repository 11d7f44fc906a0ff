import Dispatch
import Glibc
import Synchronization

/// A provider on loopback for many clients at once: connections are kept, and one thread serves them all.
package final class ProviderStandIn: Sendable {
    package struct Request: Sendable {
        /// From 1, over all connections.
        package let number: Int
        package let method: String
        /// Path and query.
        package let target: String
        /// Names in lower case, in the order in which they came.
        package let fields: [(name: String, value: String)]
        /// Its first 64 KiB.
        package let body: String
        /// All of it.
        package let bodyBytes: Int

        package func field(_ name: String) -> String? { fields.last { $0.name == name }?.value }
    }

    package enum Reply: Sendable {
        case text(String)
        case later(String, milliseconds: Int)
        /// As much of an answer, and then the end of the connection.
        case cut(String)
        /// Nothing, as long as the client waits.
        case nothing
    }

    package let port: UInt16
    private let stop: Int32
    private let record = Record()

    private final class Record: Sendable {
        let requests = Mutex<[Request]>([])
        let arrived = Atomic(0)
    }

    /// - Parameter reply: called with each whole request, on the one thread.
    package init(_ reply: @escaping @Sendable (Request) -> Reply) {
        let (listener, port) = Loopback.listen(backlog: 2_048)
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0, "there is a pipe left")
        (self.port, stop) = (port, ends[1])
        let (record, wake) = (record, ends[0])
        BlockingThread.detached("provider-stand-in") {
            var loop = ServingLoop(listener: listener, wake: wake) { request in
                record.requests.withLock { $0.append(request) }
                return reply(request)
            } arrived: {
                record.arrived.add($0, ordering: .relaxed)
            }
            loop.run()
        }
    }

    /// Ends the thread and all its connections.
    deinit { close(stop) }

    package var url: String { "http://127.0.0.1:\(port)" }
    /// Bytes of requests, whole or not.
    package var arrivedBytes: Int { record.arrived.load(ordering: .relaxed) }
    package var requests: [Request] { record.requests.withLock { $0 } }
}

/// One thread's connections.
private struct ServingLoop {
    private struct Connection {
        var received: [UInt8] = []
        /// Of the request under way: where its body begins and how long it is; nil until its head is whole.
        var expected: (head: Int, body: Int)?
        /// Of a large body: bytes that are not kept.
        var dropped = 0
        var unsent: [UInt8] = []
        var closesAfterSending = false
    }

    private static let keptBody = 64 << 10

    let listener: Int32
    let wake: Int32
    let reply: (ProviderStandIn.Request) -> ProviderStandIn.Reply
    let arrived: (Int) -> Void
    private var connections: [Int32: Connection] = [:]
    private var delayed: [(due: ContinuousClock.Instant, client: Int32, text: String)] = []
    private var number = 0

    init(
        listener: Int32, wake: Int32, reply: @escaping (ProviderStandIn.Request) -> ProviderStandIn.Reply,
        arrived: @escaping (Int) -> Void
    ) {
        (self.listener, self.wake, self.reply, self.arrived) = (listener, wake, reply, arrived)
    }

    mutating func run() {
        while true {
            var polled = [pollfd(fd: wake, events: 0, revents: 0)]
            polled.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            for (client, connection) in connections {
                let events = Int16(POLLIN) | (connection.unsent.isEmpty ? 0 : Int16(POLLOUT))
                polled.append(pollfd(fd: client, events: events, revents: 0))
            }
            poll(&polled, nfds_t(polled.count), delayed.isEmpty ? -1 : 1)
            if polled[0].revents != 0 { return end() }
            if polled[1].revents != 0 { accept() }
            for entry in polled.dropFirst(2) where entry.revents != 0 { serve(entry) }
            sendWhatIsDue()
        }
    }

    private mutating func end() {
        for client in connections.keys { close(client) }
        close(listener)
        close(wake)
    }

    private mutating func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            // A program that is started meanwhile must not hold it open.
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            _ = fcntl(client, F_SETFL, O_NONBLOCK)
            connections[client] = Connection()
        }
    }

    private mutating func drop(_ client: Int32) {
        connections[client] = nil
        delayed.removeAll { $0.client == client }
        close(client)
    }

    private mutating func serve(_ entry: pollfd) {
        if entry.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            var piece = [UInt8](repeating: 0, count: 256 << 10)
            let count = recv(entry.fd, &piece, piece.count, 0)
            if count == 0 || count < 0 && errno != EAGAIN { return drop(entry.fd) }
            if count > 0 { take(piece[..<count], from: entry.fd) }
        }
        if entry.revents & Int16(POLLOUT) != 0 { send(nil, to: entry.fd) }
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>, from client: Int32) {
        connections[client]?.received += bytes
        arrived(bytes.count)
        while let request = nextRequest(of: client) {
            switch reply(request) {
            case .text(let text): send(text, to: client)
            case .later(let text, let milliseconds):
                delayed.append((.now + .milliseconds(milliseconds), client, text))
            case .cut(let text):
                connections[client]?.closesAfterSending = true
                send(text, to: client)
            case .nothing: break
            }
        }
    }

    private mutating func nextRequest(of client: Int32) -> ProviderStandIn.Request? {
        guard var connection = connections[client] else { return nil }
        defer { if connections[client] != nil { connections[client] = connection } }
        if connection.expected == nil {
            guard let end = Bytes.headEnd(connection.received[...]) else { return nil }
            let head = Bytes.head(connection.received[..<end])
            let length = head.fields.last { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
            connection.expected = (end, length)
        }
        guard let (head, length) = connection.expected else { return nil }
        let there = connection.received.count - head + connection.dropped
        if there < length, connection.received.count - head > Self.keptBody {
            connection.dropped += connection.received.count - head - Self.keptBody
            connection.received.removeLast(connection.received.count - head - Self.keptBody)
        }
        guard there >= length else { return nil }
        let kept = min(connection.received.count - head, length)
        let body = connection.received[head..<head + min(kept, Self.keptBody)]
        let read = Bytes.head(connection.received[..<head])
        number += 1
        connection.received.removeFirst(head + max(0, length - connection.dropped))
        (connection.expected, connection.dropped) = (nil, 0)
        let line = read.line.split(separator: " ")
        return ProviderStandIn.Request(
            number: number, method: line.first.map(String.init) ?? "",
            target: line.count > 1 ? String(line[1]) : "", fields: read.fields,
            body: String(decoding: body, as: UTF8.self), bodyBytes: length)
    }

    private mutating func send(_ text: String?, to client: Int32) {
        guard var connection = connections[client] else { return }
        if let text { connection.unsent += Array(text.utf8) }
        let count = Glibc.send(client, connection.unsent, connection.unsent.count, Int32(MSG_NOSIGNAL))
        if count < 0, errno != EAGAIN { return drop(client) }
        connection.unsent.removeFirst(max(0, count))
        connections[client] = connection
        if connection.closesAfterSending, connection.unsent.isEmpty { drop(client) }
    }

    private mutating func sendWhatIsDue() {
        guard !delayed.isEmpty else { return }
        let now = ContinuousClock.now
        let due = delayed.filter { $0.due <= now }
        delayed.removeAll { $0.due <= now }
        for answer in due { send(answer.text, to: answer.client) }
    }
}

/// Bytes of HTTP/1.
enum Bytes {
    /// Behind the blank line.
    static func headEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for at in bytes.startIndex + 3..<bytes.endIndex
        where bytes[at] == 10 && bytes[at - 1] == 13 && bytes[at - 2] == 10 {
            return at + 1
        }
        return nil
    }

    static func head(_ bytes: ArraySlice<UInt8>) -> (line: String, fields: [(name: String, value: String)]) {
        let lines = bytes.split(separator: 10).map { line in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
        let fields = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), String(line[line.index(after: colon)...].drop { $0 == " " }))
        }
        return (lines.first ?? "", fields)
    }
}
