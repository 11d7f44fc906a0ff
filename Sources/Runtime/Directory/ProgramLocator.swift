import FoundationEssentials
import Glibc

/// Finds the other programs of this installation: they lie beside the running one.
package struct ProgramLocator: Sendable {
    /// Where all programs of this installation lie.
    package let directory: String

    package init(directory: String) { self.directory = directory }

    /// Beside the running executable, whatever path it was started by.
    /// - Throws: `SystemError`.
    package static func beside() throws -> ProgramLocator {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        guard count > 0 else { throw SystemError("read /proc/self/exe") }
        let path = String(decoding: buffer.prefix(count), as: UTF8.self)
        return ProgramLocator(directory: String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    }

    /// - Throws: `CommandFailure` if the program is not there.
    package func path(of program: String) throws -> String {
        let path = directory + "/" + program
        guard access(path, X_OK) == 0 else {
            throw CommandFailure(.failure, "the program \(program) is missing from \(directory)")
        }
        return path
    }
}
