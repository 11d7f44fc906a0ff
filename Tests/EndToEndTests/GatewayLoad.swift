import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

/// A provider on loopback that answers every chat completion at once, streamed where that is asked for, each with a request id of
/// its own. 600 uncached and
/// 400 cached input tokens and 200 output tokens of gpt-4o are 4 000 000 nano-dollars by the published prices.
final class MeteredUpstream: Sendable {
    static let model = "gpt-4o-2024-08-06"
    static let costNanos: Int64 = 4_000_000

    private let server: LocalServer
    private let count: Counting

    private final class Counting: Sendable {
        let number = Mutex(0)
        func next() -> Int {
            number.withLock {
                $0 += 1
                return $0
            }
        }
    }

    init() {
        let count = Counting()
        self.count = count
        server = LocalServer { request, connection in
            let number = count.next()
            let isStream = request.contains("\"stream\":true")
            connection.write(
                answer(
                    "200 OK",
                    headers: [
                        "Content-Type: \(isStream ? "text/event-stream" : "application/json")", "Connection: close",
                        "x-request-id: req-\(number)",
                    ], isStream ? Self.events(number) : Self.body(number)))
        }
    }

    var baseURL: String { server.url + "/v1" }

    private static let usage = """
        {"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,\
        "prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},\
        "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,\
        "rejected_prediction_tokens":0}}
        """

    private static func body(_ number: Int) -> String {
        """
        {"id":"chatcmpl-\(number)","object":"chat.completion","created":1795000000,"model":"\(model)","choices":[{"index":0,\
        "message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],"usage":\(usage)}
        """
    }

    private static func events(_ number: Int) -> String {
        func event(_ choices: String, usage: String) -> String {
            """
            data: {"id":"chatcmpl-\(number)","object":"chat.completion.chunk","created":1795000000,"model":"\(model)",\
            "choices":\(choices),"usage":\(usage)}\n\n
            """
        }
        let word = event(#"[{"index":0,"delta":{"content":"yes"},"finish_reason":null}]"#, usage: "null")
        return word + word + event("[]", usage: usage) + "data: [DONE]\n\n"
    }
}

/// What a client was given.
struct GatewayAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: String
}

/// A client of a gateway, as small as one can be: one connection for each request.
struct GatewayClient: Sendable {
    let port: UInt16
    let key: String

    static let question =
        #"{"model":"gpt-4o-2024-08-06","messages":[{"role":"user","content":"is it?"}],"max_tokens":300}"#

    /// - Returns: nil if nobody answered, or the answer was not whole.
    func ask(_ path: String = "/v1/chat/completions", _ body: String = question, headers: [String] = [])
        -> GatewayAnswer?
    {
        let lines =
            [
                "POST \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Authorization: Bearer \(key)",
                "Content-Type: application/json", "Content-Length: \(body.utf8.count)", "Connection: close",
            ] + headers
        return exchange(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    private func exchange(_ request: String) -> GatewayAnswer? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafeBytes(of: &address) {
            connect(
                descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard connected == 0 else { return nil }
        let bytes = Array(request.utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
        var received: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count <= 0 { return nil }
            received += piece[..<count]
            if let answer = Self.whole(received) { return answer }
        }
    }

    /// The answer, once all that its length announces is there, or the last of a stream's events.
    private static func whole(_ bytes: [UInt8]) -> GatewayAnswer? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]).lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        let headers = Dictionary(fields) { $1 }
        let body = String(text[end.upperBound...])
        if headers["content-type"] == "text/event-stream" {
            guard body.contains("data: [DONE]\n\n") else { return nil }
        } else {
            guard let length = headers["content-length"].flatMap({ Int($0) }), body.utf8.count >= length else {
                return nil
            }
        }
        return GatewayAnswer(status: status, headers: headers, body: body)
    }
}

/// Clients that ask as fast as they are answered, every other time for a stream, and remember what they were given.
final class GatewayLoad: Sendable {
    private let state = Mutex((isOver: false, running: 0, delivered: [String](), others: [Int: Int]()))

    init(_ client: GatewayClient, threads: Int) {
        state.withLock { $0.running = threads }
        for _ in 0..<threads {
            Thread.detachNewThread { [self] in
                var isStream = false
                let streaming = #"{"stream":true,"# + GatewayClient.question.dropFirst()
                while !state.withLock({ $0.isOver }) {
                    isStream.toggle()
                    guard let answer = client.ask("/v1/chat/completions", isStream ? streaming : GatewayClient.question)
                    else {
                        usleep(2_000)  // Nobody listens at the moment.
                        continue
                    }
                    state.withLock { state in
                        if answer.status == 200, let id = answer.headers["x-request-id"] {
                            state.delivered.append(id)
                        } else {
                            state.others[answer.status, default: 0] += 1
                        }
                    }
                }
                state.withLock { $0.running -= 1 }
            }
        }
    }

    /// The provider's ids of the answers that arrived whole.
    var delivered: [String] { state.withLock { $0.delivered } }
    /// Other answers, by status.
    var others: [Int: Int] { state.withLock { $0.others } }

    func stop() async throws {
        state.withLock { $0.isOver = true }
        try await eventually("the clients end") { state.withLock { $0.running } == 0 }
    }
}
