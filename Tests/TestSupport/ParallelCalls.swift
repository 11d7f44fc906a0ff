import Glibc

/// An answer as a client sees it.
package struct HTTPAnswer: Sendable {
    package let status: Int
    /// Names in lower case.
    package let fields: [(name: String, value: String)]
    /// Without the marks of its chunks.
    package let body: String

    package func field(_ name: String) -> String? { fields.last { $0.name == name }?.value }

    /// - Parameter isOver: whether the connection has ended: then what has no length is whole.
    /// - Returns: nil for what is no whole answer.
    init?(_ bytes: [UInt8], isOver: Bool) {
        var rest = bytes[...]
        var read: (line: String, fields: [(name: String, value: String)])
        repeat {
            guard let end = Bytes.headEnd(rest) else { return nil }
            read = Bytes.head(rest[..<end])
            rest = rest[end...]
        } while read.line.hasPrefix("HTTP/1.1 100 ")
        let head = read
        let words = head.line.split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        (self.status, fields) = (status, head.fields)
        if let length = head.fields.last(where: { $0.name == "content-length" }).flatMap({ Int($0.value) }) {
            guard rest.count >= length else { return nil }
            body = String(decoding: rest.prefix(length), as: UTF8.self)
        } else if head.fields.contains(where: { $0.name == "transfer-encoding" }) {
            guard let whole = Self.dechunked(rest) else { return nil }
            body = String(decoding: whole, as: UTF8.self)
        } else {
            guard isOver else { return nil }
            body = String(decoding: rest, as: UTF8.self)
        }
    }

    private static func dechunked(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var (whole, rest): ([UInt8], ArraySlice<UInt8>) = ([], bytes)
        while let end = rest.firstIndex(of: 10) {
            let digits = rest[..<end].prefix { $0 != 13 && $0 != 59 }
            guard let count = Int(String(decoding: digits, as: UTF8.self), radix: 16) else { return nil }
            if count == 0 { return whole }
            let start = end + 1
            guard rest.endIndex >= start + count + 2 else { return nil }
            whole += rest[start..<start + count]
            rest = rest[(start + count + 2)...]
        }
        return nil
    }
}

/// Requests that all run at the same time, each over a connection of its own.
package struct ParallelCalls {
    package struct Call: Sendable {
        /// One of them, in turn: a call that nobody takes, or that breaks off, is tried again at the next.
        package let ports: [UInt16]
        package let request: [UInt8]

        package init(ports: [UInt16], request: String) {
            self.ports = ports
            self.request = Array(request.utf8)
        }
    }

    private struct Exchange {
        var call: Int
        var sent = 0
        var received: [UInt8] = []
    }

    private let calls: [Call]
    private let attempts: Int
    private let onAnswer: (Int) -> Void
    private var answers: [HTTPAnswer?]
    private var tries: [Int]
    private var open: [Int32: Exchange] = [:]
    private var waiting: [(due: ContinuousClock.Instant, call: Int)] = []
    private var ended = 0

    /// Sends them all, and waits for all answers.
    /// - Parameters:
    ///   - attempts: how often each is tried where it gets no whole answer.
    ///   - onAnswer: called with the number of calls that are over, on the working thread.
    /// - Returns: in the order of the calls; nil where there was never a whole answer.
    package static func run(
        _ calls: [Call], attempts: Int = 1, limit: Duration = .seconds(60),
        onAnswer: @escaping @Sendable (Int) -> Void = { _ in }
    ) async -> [HTTPAnswer?] {
        await BlockingThread.running {
            var work = ParallelCalls(calls, attempts: attempts, onAnswer: onAnswer)
            work.run(limit: limit)
            return work.answers
        }
    }

    private init(_ calls: [Call], attempts: Int, onAnswer: @escaping (Int) -> Void) {
        (self.calls, self.attempts, self.onAnswer) = (calls, attempts, onAnswer)
        answers = Array(repeating: nil, count: calls.count)
        tries = Array(repeating: 0, count: calls.count)
    }

    private mutating func run(limit: Duration) {
        let end = ContinuousClock.now + limit
        for call in calls.indices { begin(call) }
        while ended < calls.count, ContinuousClock.now < end {
            var polled = open.map { descriptor, exchange in
                let isSent = exchange.sent == calls[exchange.call].request.count
                return pollfd(fd: descriptor, events: Int16(isSent ? POLLIN : POLLIN | POLLOUT), revents: 0)
            }
            poll(&polled, nfds_t(polled.count), 5)
            for entry in polled where entry.revents != 0 { serve(entry) }
            let now = ContinuousClock.now
            let due = waiting.filter { $0.due <= now }
            waiting.removeAll { $0.due <= now }
            for again in due { begin(again.call) }
        }
        for descriptor in open.keys { close(descriptor) }
    }

    private mutating func begin(_ call: Int) {
        let ports = calls[call].ports
        let port = ports[(call + tries[call]) % ports.count]
        tries[call] += 1
        guard let descriptor = Loopback.connecting(to: port) else { return failed(call) }
        open[descriptor] = Exchange(call: call)
    }

    private mutating func failed(_ call: Int) {
        if tries[call] < attempts {
            waiting.append((.now + .milliseconds(20), call))
        } else {
            over(call, nil)
        }
    }

    private mutating func over(_ call: Int, _ answer: HTTPAnswer?) {
        answers[call] = answer
        ended += 1
        onAnswer(ended)
    }

    private mutating func serve(_ entry: pollfd) {
        guard var exchange = open[entry.fd] else { return }
        let request = calls[exchange.call].request
        if entry.revents & Int16(POLLOUT) != 0, exchange.sent < request.count {
            let count = request.withUnsafeBytes {
                send(entry.fd, $0.baseAddress! + exchange.sent, $0.count - exchange.sent, Int32(MSG_NOSIGNAL))
            }
            exchange.sent += max(0, count)
        }
        var isOver = false
        if entry.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(entry.fd, &piece, piece.count, 0)
            isOver = count == 0 || count < 0 && errno != EAGAIN
            if count > 0 { exchange.received += piece[..<count] }
        }
        open[entry.fd] = exchange
        if let answer = HTTPAnswer(exchange.received, isOver: isOver) {
            end(entry.fd)
            over(exchange.call, answer)
        } else if isOver {
            end(entry.fd)
            failed(exchange.call)
        }
    }

    private mutating func end(_ descriptor: Int32) {
        open[descriptor] = nil
        close(descriptor)
    }
}
