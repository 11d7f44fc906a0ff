import Glibc

/// A system call that failed: what was tried, on what, and errno.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Completes the sentence "cannot …".
    package let action: String
    package let errorNumber: Int32

    /// - Parameter errorNumber: of the call just made on this thread, unless given.
    package init(_ action: String, errno errorNumber: Int32 = Glibc.errno) {
        self.action = action
        self.errorNumber = errorNumber
    }

    package var description: String { "cannot \(action): \(String(cString: strerror(errorNumber)))" }
}
