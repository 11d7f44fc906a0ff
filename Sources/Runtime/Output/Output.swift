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

    /// Writes one line of data to stdout, or several. What is hidden in it steers no terminal.
    package static func line(_ text: String) throws { try write(text.withoutControls(except: "\n", "\t") + "\n") }

    /// Tells the person in front of the terminal something. A stderr that is gone is no reason to fail.
    /// - Parameters:
    ///   - prefix: of our own, which may have colours.
    ///   - text: with words of others; what is hidden in it steers no terminal.
    package static func message(prefix: String = "", _ text: String) {
        let shown = prefix + text.withoutControls(except: "\n", "\t") + "\n"
        do { try writeAll(STDERR_FILENO, Array(shown.utf8)) } catch { return }
    }

    /// Whether stdout is one: a person reads, not a program.
    package static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    /// The same of stderr.
    package static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Whether colours are wanted on a stream: it is a terminal, and `NO_COLOR` is not set.
    package static func isColoured(
        terminal: Bool, environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Bool {
        terminal && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }
}
