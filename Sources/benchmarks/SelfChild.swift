import Foundation
import Glibc
import Runtime

/// This program once more, as a child with another subcommand. It tells how far it is by single bytes on its output.
struct SelfChild {
    let process: ChildProcess
    private let output: Int32

    init(_ arguments: [String]) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("make a pipe") }
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process = try ChildProcess(.init(path: path, arguments: arguments, standardOutput: ends[1]))
        close(ends[1])
        output = ends[0]
    }

    /// Waits for the child's next byte.
    /// - Throws: `ChildGone` if it ended instead.
    func signal() async throws {
        let count = await withCheckedContinuation { continuation in
            Thread.detachNewThread { [output] in
                var byte: UInt8 = 0
                continuation.resume(returning: read(output, &byte, 1))
            }
        }
        guard count == 1 else { throw ChildGone(exit: process.exit) }
    }

    func finish() async {
        _ = await process.waitForExit()
        close(output)
    }
}

struct ChildGone: Error { let exit: ChildExit? }

/// A child's side of `SelfChild.signal`.
func signalParent() {
    var byte: UInt8 = 1
    _ = write(1, &byte, 1)
}
