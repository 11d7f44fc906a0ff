import Dispatch
import Glibc
import Synchronization

/// A real server on loopback that says exactly the bytes a test wants, one connection after another.
package final class LocalServer: Sendable {
    /// What it does with one request; it answers through the connection and may stop in the middle.
    package typealias Behaviour = @Sendable (_ request: String, _ connection: borrowing Connection) -> Void

    package struct Connection: ~Copyable {
        let descriptor: Int32

        /// - Returns: false once the client is gone.
        @discardableResult package func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        @discardableResult package func write(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { buffer in
                var sent = 0
                while sent < buffer.count {
                    let count = send(
                        descriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
                    guard count > 0 else { return false }
                    sent += count
                }
                return true
            }
        }

        /// Waits until the client closes its side.
        package func awaitClientLeaving() {
            var byte: UInt8 = 0
            while Glibc.read(descriptor, &byte, 1) > 0 {}
        }
    }

    package let port: UInt16
    private let descriptor: Int32
    private let record = Record()

    private final class Record: Sendable {
        let requests = Mutex<[(head: String, body: String)]>([])
    }

    package init(_ behaviour: @escaping Behaviour) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutableBytes(of: &address) { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return bind(listener, pointer, length) == 0 && listen(listener, 8) == 0
                && getsockname(listener, pointer, &length) == 0
        }
        precondition(bound, "loopback has a free port")
        port = UInt16(bigEndian: address.sin_port)
        descriptor = listener
        let record = record
        DispatchQueue(label: "local-server").async {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else {
                    // Closed here and not in deinit: the number may be another test's listener a moment later.
                    close(listener)
                    return
                }
                DispatchQueue.global().async {
                    let request = Self.read(from: client)
                    record.requests.withLock { $0.append(request) }
                    behaviour(request.head, Connection(descriptor: client))
                    shutdown(client, Int32(SHUT_RDWR))
                    close(client)
                }
            }
        }
    }

    /// Wakes the accepting queue, which then closes.
    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    package var url: String { "http://127.0.0.1:\(port)" }
    /// The heads of the requests so far.
    package var seen: [String] { record.requests.withLock { $0.map(\.head) } }
    /// Their bodies.
    package var bodies: [String] { record.requests.withLock { $0.map(\.body) } }

    /// The head, and the body it announces. A TLS greeting (0x16 …) has no head to wait for.
    private static func read(from client: Int32) -> (head: String, body: String) {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while Glibc.read(client, &byte, 1) == 1 {
            bytes.append(byte)
            if bytes.suffix(4) == [13, 10, 13, 10] || bytes.first == 0x16 { break }
        }
        let head = String(decoding: bytes, as: UTF8.self)
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length: ") }
        var missing = length.flatMap { Int($0.dropFirst("Content-Length: ".count)) } ?? 0
        var body: [UInt8] = []
        while missing > 0, Glibc.read(client, &byte, 1) == 1 {
            body.append(byte)
            missing -= 1
        }
        return (head, String(decoding: body, as: UTF8.self))
    }
}

/// A whole answer with a correct length.
package func answer(_ status: String, headers: [String] = [], _ body: String = "") -> String {
    (["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers).joined(separator: "\r\n") + "\r\n\r\n"
        + body
}
