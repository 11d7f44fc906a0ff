import Glibc

/// Sockets of this machine alone.
package enum Loopback {
    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func withAddress<Value>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Value
    ) -> Value {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    private static let size = socklen_t(MemoryLayout<sockaddr_in>.size)

    /// A port that nobody has at the moment.
    package static func freePort() -> UInt16 { freePorts(1)[0] }

    /// Different ones.
    package static func freePorts(_ count: Int) -> [UInt16] {
        let all = (0..<count).map { _ in bound() }
        for (descriptor, _) in all { close(descriptor) }
        return all.map(\.port)
    }

    private static func bound() -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = address(0)
        var length = size
        let isBound = withAddress(&address) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
        precondition(isBound, "loopback has a free port")
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A socket that does not block, and its port.
    package static func listen(backlog: Int32) -> (descriptor: Int32, port: UInt16) {
        let (descriptor, port) = bound()
        precondition(Glibc.listen(descriptor, backlog) == 0, "a bound socket listens")
        return (descriptor, port)
    }

    /// A socket that takes connections of a certain port and answers none.
    /// - Returns: nil if somebody has the port.
    package static func listener(port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var again: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &again, socklen_t(MemoryLayout<Int32>.size))
        var address = address(port)
        if withAddress(&address, { bind(descriptor, $0, size) }) == 0, Glibc.listen(descriptor, 16) == 0 {
            return descriptor
        }
        close(descriptor)
        return nil
    }

    /// A connection that may not be there yet: it can be written to when it is.
    /// - Returns: nil if it is refused at once.
    package static func connecting(to port: UInt16) -> Int32? {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = address(port)
        let result = withAddress(&address) { connect(descriptor, $0, size) }
        if result == 0 || errno == EINPROGRESS { return descriptor }
        close(descriptor)
        return nil
    }
}

/// A thread for work that blocks, which has no place on the pool of the tests.
package enum BlockingThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    package static func detached(_ name: String, _ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        precondition(result == 0, "there is a thread left for \(name)")
        pthread_detach(thread)
    }

    /// What the work gives, when it is done.
    package static func running<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            detached("blocking work") { continuation.resume(returning: work()) }
        }
    }
}
