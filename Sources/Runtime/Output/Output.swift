import FoundationEssentials
import Glibc

/// The reader of stdout went away; the program ends quietly.
package struct BrokenPipe: Error {}

/// Data goes to stdout, messages to stderr.
package enum Output {
    /// Writes data to stdout as it is.
    /// - Throws: `BrokenPipe` if nobody reads any more, else `SystemError`.
    package static func write(_ text: String) throws {
        do { try writeAll(STDOUT_FILENO, Array(text.utf8)) } catch let error as SystemError {
            if error.errorNumber == EPIPE { throw BrokenPipe() }
            throw error
        }
    }

    /// Writes one line of data to stdout.
    package static func line(_ text: String) throws { try write(text + "\n") }

    /// Tells the person in front of the terminal something. A stderr that is gone is no reason to fail.
    package static func message(_ text: String) {
        do { try writeAll(STDERR_FILENO, Array((text + "\n").utf8)) } catch { return }
    }

    package static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    package static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Whether colours are wanted on a stream: it is a terminal, and `NO_COLOR` is not set.
    package static func isColoured(
        terminal: Bool, environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Bool {
        terminal && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }
}
