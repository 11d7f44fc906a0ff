import Dispatch
import Glibc

/// Hears what one child tells its service manager (`$NOTIFY_SOCKET`).
final class ReadinessSocket {
    let path: String
    /// Each assignment, such as `READY=1`, until `end()`.
    let assignments: AsyncStream<String>
    private let source: any DispatchSourceRead

    /// - Throws: `SystemError`.
    init(path: String) throws {
        self.path = path
        unlink(path)
        let flags = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, flags, 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        guard withUnixAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
            let error = SystemError("bind \(path)")
            close(descriptor)
            throw error
        }
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: DispatchQueue(label: "readiness"))
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(16))
        assignments = stream
        source.setEventHandler {
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n") {
                continuation.yield(String(line))
            }
        }
        source.setCancelHandler {
            close(descriptor)
            continuation.finish()
        }
        source.resume()
    }

    func end() {
        source.cancel()
        unlink(path)
    }
}
