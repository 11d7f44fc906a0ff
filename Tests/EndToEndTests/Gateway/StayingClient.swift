import Glibc
import TestSupport

/// Whoever leaves ends a call by itself: this one stays until the gateway is gone.
struct StayingClient {
    private let descriptor: Int32

    init?(port: UInt16) {
        guard let descriptor = Loopback.connecting(to: port) else { return nil }
        self.descriptor = descriptor
    }

    func close() { Glibc.close(descriptor) }

    func sends(_ request: String) async throws {
        try await eventually("the request is sent") {
            Glibc.send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count
        }
    }

    func reads(_ word: String) async throws {
        var answer: [UInt8] = []
        try await eventually("the answer comes as far as \(word)") {
            var piece = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &piece, piece.count, 0)
            answer += piece.prefix(max(0, count))
            return String(decoding: answer, as: UTF8.self).contains(word)
        }
    }
}
