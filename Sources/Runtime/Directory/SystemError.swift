import Glibc

/// A system call that failed: what was tried, on what, and errno.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let action: String
    package let errorNumber: Int32

    package init(_ action: String, errno errorNumber: Int32 = Glibc.errno) {
        self.action = action
        self.errorNumber = errorNumber
    }

    package var description: String { "cannot \(action): \(String(cString: strerror(errorNumber)))" }
}
