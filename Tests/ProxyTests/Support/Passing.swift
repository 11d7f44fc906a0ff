import Logging
import NIOCore
import NIOHTTP1
import Synchronization

@testable import Proxy

/// Passes every request on to one upstream and writes down what its observers saw.
final class Passing: CallHandling {
    private struct State {
        var seen: [Observer] = []
        var waiting: [(ended: Int, resume: CheckedContinuation<Void, Never>)] = []
    }

    private let upstream: UpstreamAddress
    /// What is said about a body before the client gets it.
    private let change: @Sendable (ByteBuffer) -> ByteBuffer
    private let rest: String
    private let state = Mutex(State())

    init(
        to upstream: UpstreamAddress, rest: String = "",
        change: @escaping @Sendable (ByteBuffer) -> ByteBuffer = { $0 }
    ) {
        self.upstream = upstream
        self.change = change
        self.rest = rest
    }

    func begin(_ request: ProxyRequest, then: @escaping @Sendable (ProxyDecision) -> Void) {
        let observer = Observer(change: change, rest: rest, ended: { [weak self] in self?.checkEnded() })
        state.withLock { $0.seen.append(observer) }
        if request.head.headers.contains(name: "x-no") {
            return then(.answer(ProxyAnswer(status: .forbidden, headers: [:], body: ByteBuffer(string: "no"))))
        }
        then(
            .forward(
                UpstreamRequest(
                    upstream: upstream, method: request.head.method, target: request.head.uri,
                    headers: ForwardedFields(of: request.head.headers), body: request.body, rest: request.rest),
                observer))
    }

    /// As a gateway does with callers that it does not know, and with forms.
    func course(ofBodyOf head: HTTPRequestHead, length: Int?) -> BodyCourse {
        if head.headers.contains(name: "x-unknown") {
            return .refused(
                ProxyAnswer(status: .unauthorized, headers: [:], body: ByteBuffer(string: "unknown")))
        }
        return head.headers.first(name: "x-clear-after").flatMap { Int($0) }.map { .read(Reader(clearAfter: $0)) }
            ?? .held
    }

    func answer(to problem: ProxyProblem, target: String?) -> ProxyAnswer {
        ProxyAnswer(
            status: problem.status, headers: ["content-type": "text/plain"], body: ByteBuffer(string: problem.rawValue))
    }

    var calls: [Observer] { state.withLock { $0.seen } }

    private func checkEnded() {
        let ready = state.withLock { state in
            let ended = state.seen.count { $0.end != nil }
            let ready = state.waiting.filter { $0.ended <= ended }
            state.waiting.removeAll { $0.ended <= ended }
            return ready
        }
        for waiting in ready { waiting.resume.resume() }
    }

    /// How the calls ended, when so many have.
    func ends(_ count: Int) async -> [CallEnd] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.seen.count(where: { $0.end != nil }) >= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return calls.compactMap(\.end)
    }

    /// Knows enough after so many bytes, and lets no body pass that has an exclamation mark.
    private final class Reader: BodyReading {
        private let clearAfter: Int
        private let count = Mutex(0)

        init(clearAfter: Int) { self.clearAfter = clearAfter }

        func read(_ piece: ByteBuffer) -> BodyProgress {
            if piece.readableBytesView.contains(UInt8(ascii: "!")) { return .refused(Self.refusal) }
            return count.withLock { count in
                count += piece.readableBytes
                return count >= clearAfter ? .clear : .unclear
            }
        }

        func finish() -> ProxyAnswer? { nil }

        private static var refusal: ProxyAnswer {
            ProxyAnswer(status: .badRequest, headers: [:], body: ByteBuffer(string: "no such form"))
        }
    }

    final class Observer: CallObserving {
        private struct Seen {
            var status: HTTPResponseStatus?
            var isSent = false
            var bytes = 0
            var end: CallEnd?
        }

        private let change: @Sendable (ByteBuffer) -> ByteBuffer
        private let rest: String
        private let whenEnded: @Sendable () -> Void
        private let seen = Mutex(Seen())

        init(
            change: @escaping @Sendable (ByteBuffer) -> ByteBuffer, rest: String, ended: @escaping @Sendable () -> Void
        ) {
            self.change = change
            self.rest = rest
            whenEnded = ended
        }

        var status: HTTPResponseStatus? { seen.withLock { $0.status } }
        var bytes: Int { seen.withLock { $0.bytes } }
        var end: CallEnd? { seen.withLock { $0.end } }

        var isSent: Bool { seen.withLock { $0.isSent } }

        func sent() { seen.withLock { $0.isSent = true } }

        func answered(status: HTTPResponseStatus, headers: HTTPHeaders) -> HTTPHeaders {
            seen.withLock { $0.status = status }
            return headers
        }

        func received(_ bytes: ByteBuffer, isLast: Bool) -> ByteBuffer {
            seen.withLock { $0.bytes += bytes.readableBytes }
            return change(bytes)
        }

        func ended(_ end: CallEnd) -> ByteBuffer {
            seen.withLock { $0.end = end }
            whenEnded()
            return ByteBuffer(string: rest)
        }

        func answer(insteadOf end: CallEnd) -> ProxyAnswer {
            ProxyAnswer(
                status: end == .timedOut ? .gatewayTimeout : .badGateway, headers: [:],
                body: ByteBuffer(string: "instead: \(end.rawValue)"))
        }
    }
}

/// A proxy on loopback for the length of a test.
struct TestProxy {
    let server: ProxyServer
    let handler: Passing

    static func with(
        _ handler: Passing, limits: ProxyLimits = ProxyLimits(), times: ProxyTimes = ProxyTimes(), tls: ProxyTLS? = nil,
        _ work: (TestProxy) async throws -> Void
    ) async throws {
        var configuration = ProxyConfiguration(listen: ListenAddress(host: "127.0.0.1", port: 0), tls: tls)
        configuration.limits = limits
        configuration.times = times
        configuration.threads = 1
        let server = try await ProxyServer.start(
            configuration, handler: handler, logger: Logger(label: "proxy") { _ in SwiftLogNoOpLogHandler() })
        let proxy = TestProxy(server: server, handler: handler)
        do { try await work(proxy) } catch {
            try await server.stop(within: .zero)
            throw error
        }
        try await server.stop(within: .zero)
    }

    func connect() async throws -> Wire { try await Wire.connect(server.address.port) }

    /// How much of the first call's answer has come when it does not go on any more. One quiet moment may be the
    /// machine's: it takes two seconds of them.
    func bytesAtRest() async throws -> Int {
        var (last, quiet) = (0, 0)
        while quiet < 8 {
            try await Task.sleep(for: .milliseconds(250))
            let bytes = handler.calls.first?.bytes ?? 0
            quiet = bytes > 0 && bytes == last ? quiet + 1 : 0
            last = bytes
        }
        return last
    }

    static func get(_ path: String = "/v1/models", _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: gateway\r\n\(fields)\r\n"
    }

    static func post(_ body: String, _ fields: String = "") -> String {
        "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
    }
}
