import Glibc
package import JSON

/// Asks a stage how it is.
package enum HealthClient {
    /// - Returns: the answer's status and body; nil if nobody answers on the socket within a second.
    package static func get(_ target: String, socket path: String) -> (status: Int, body: String)? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard connect(descriptor, toUnixSocket: path) == 0 else { return nil }
        let request = Array("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return nil
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while bytes.count < 1 << 20 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { break }
            guard count > 0 else { return nil }
            bytes += buffer.prefix(count)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]), let end = headEnd(text) else { return nil }
        return (status, String(text[end...]))
    }

    /// `/readyz?verbose` as a document; nil if nobody answers.
    package static func readiness(socket path: String) -> JSONValue? {
        guard let answer = get("/readyz?verbose", socket: path) else { return nil }
        do { return try JSONValue.parse(answer.body) } catch { return nil }  // Not a stage of ours.
    }
}

/// Where the head of an HTTP message ends and its body begins.
func headEnd(_ text: String) -> String.Index? {
    var previous: Character?
    for index in text.indices {
        if text[index] == "\r\n", previous == "\r\n" { return text.index(after: index) }
        previous = text[index]
    }
    return nil
}
