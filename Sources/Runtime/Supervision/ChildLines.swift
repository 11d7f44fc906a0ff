import CRuntime
import Foundation
import Glibc
import Synchronization

/// The output of one child, line by line.
final class ChildLines: Sendable {
    private static let lineBytes = 65_536

    /// The end that the child writes to; this process closes its own copy as soon as the child has one.
    let writeEnd: Int32
    private let pending = Mutex<[UInt8]>([])
    private let handle: @Sendable (String) -> Void

    /// - Parameter handle: gets each line without its end, one after the other.
    /// - Throws: `SystemError`.
    init(handle: @escaping @Sendable (String) -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard runtime_pipe(&ends) == 0 else { throw SystemError("make a pipe") }
        let readEnd = ends[0]
        writeEnd = ends[1]
        self.handle = handle
        // A thread, not a dispatch source: when the other end of a pipe goes away (EPOLLHUP), libdispatch may still touch a
        // source that its handler has cancelled, and a supervisor must not crash because a child did.
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 16_384)
            while true {
                let count = read(readEnd, &buffer, buffer.count)
                if count > 0 {
                    push(buffer.prefix(count))
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
            push([0x0A])  // A last line without an end is a line.
            close(readEnd)
        }
    }

    private func push(_ bytes: some Collection<UInt8>) {
        let lines = pending.withLock { pending in
            pending += bytes
            var parts = pending.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
            pending = parts.popLast() ?? []
            if pending.count > Self.lineBytes {
                parts.append(pending)
                pending = []
            }
            return parts
        }
        for line in lines where !line.isEmpty { handle(String(decoding: line, as: UTF8.self)) }
    }
}
