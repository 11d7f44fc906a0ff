package import EventLog
import Glibc

/// A store in another process, and how to let go of it.
package struct LogConnection: Sendable {
    package var store: any EventStore
    package var close: @Sendable () async -> Void

    package init(store: any EventStore, close: @escaping @Sendable () async -> Void) {
        self.store = store
        self.close = close
    }
}

/// How a program reaches a running `event-log`.
package struct LogConnector: Sendable {
    package var connect: @Sendable (LogEndpoints) async throws -> LogConnection

    package init(connect: @escaping @Sendable (LogEndpoints) async throws -> LogConnection) { self.connect = connect }
}

/// Whether somebody accepts connections on a Unix socket. A socket file whose owner was killed refuses them.
package func isListening(unixSocket path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return connect(descriptor, toUnixSocket: path) == 0
}

/// connect(2) for a path; -1 and errno as usual, ENAMETOOLONG if it does not fit an address.
func connect(_ descriptor: Int32, toUnixSocket path: String) -> Int32 {
    withUnixAddress(path) { connect(descriptor, $0, $1) }
}

/// Calls `body` with the address of a Unix socket; a path that begins with `@` is an abstract one.
func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        errno = ENAMETOOLONG
        return -1
    }
    let isAbstract = bytes.first == UInt8(ascii: "@")
    if isAbstract { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
}
