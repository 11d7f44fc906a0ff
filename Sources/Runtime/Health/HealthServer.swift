import Dispatch
import Glibc
import ServiceLifecycle

/// Answers `/livez`, `/readyz` and `/metrics` on a Unix socket, one small request at a time.
package struct HealthServer: Service {
    private static let requestBytes = 4_096
    private static let clientSeconds = 1

    private let path: String
    private let responder: HealthResponder

    /// - Parameter path: of the Unix socket; one that was left behind is replaced.
    package init(path: String, health: StageHealth) {
        self.path = path
        responder = HealthResponder(health: health)
    }

    /// Serves until the program is asked to stop.
    /// - Throws: `SystemError` if the socket cannot be made.
    package func run() async throws {
        let listener = try listen()
        // A serial queue: its thread exists only while somebody asks.
        let source = DispatchSource.makeReadSource(
            fileDescriptor: listener, queue: DispatchQueue(label: "health"))
        source.setEventHandler { [responder] in Self.accept(listener, responder) }
        source.setCancelHandler { close(listener) }
        source.resume()
        await untilStopped()
        source.cancel()
        unlink(path)
    }

    private func listen() throws -> Int32 {
        unlink(path)
        let flags = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_UNIX, flags, 0)
        guard listener >= 0 else { throw SystemError("make a socket") }
        guard withUnixAddress(path, { bind(listener, $0, $1) }) == 0, chmod(path, 0o600) == 0,
            Glibc.listen(listener, 16) == 0
        else {
            let error = SystemError("listen on \(path)")
            close(listener)
            throw error
        }
        return listener
    }

    private static func accept(_ listener: Int32, _ responder: HealthResponder) {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }  // The client left before we came.
        defer { close(client) }
        // A client that neither speaks nor listens holds this up for two seconds, not for ever.
        var limit = timeval(tv_sec: clientSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard let head = readHead(client) else { return }
        var answer = Array(responder.answer(to: head).utf8)[...]
        while !answer.isEmpty {
            let count = answer.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            answer = answer.dropFirst(count)
        }
    }

    private static func readHead(_ client: Int32) -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1_024)
        while bytes.count < requestBytes {
            let count = recv(client, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer.prefix(count)
            if bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) { return String(decoding: bytes, as: UTF8.self) }
        }
        return nil
    }
}

/// Returns when the program is asked to stop, gracefully or by cancellation.
package func untilStopped() async {
    do { try await gracefulShutdown() } catch { return }
}
