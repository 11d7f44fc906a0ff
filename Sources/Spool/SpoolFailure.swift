import Glibc

/// Why a record could not be kept, or not be read again.
package struct SpoolFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What follows from it.
    package enum Kind: String, Hashable, Sendable {
        /// The disk, or what the spool may take of it, is full: later appends may succeed.
        case full
        /// This record can never be kept.
        case tooLarge = "too-large"
        /// Another process writes this spool.
        case locked
        /// A sync failed, or a half-written record could not be taken back: nothing is kept until `Spool.mend` has written
        /// anew what may not be on disk, or a new start has looked at what is.
        case readOnly = "read-only"
        /// What is on disk is not what was written.
        case damaged
        /// The system said no to something else.
        case system
        /// It was closed.
        case closed
    }

    package let kind: Kind
    package let path: String
    /// What the system said, and where it helps what to do.
    package let reason: String

    package init(_ kind: Kind = .system, path: String, reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    package var description: String { "\(path): \(reason)" }

    /// `errno` in words, with what was tried.
    static func system(_ attempt: String, _ path: String, errno code: Int32 = errno) -> SpoolFailure {
        let isFull = code == ENOSPC || code == EDQUOT
        return SpoolFailure(
            isFull ? .full : .system, path: path,
            reason: "cannot \(attempt): \(String(cString: strerror(code))) (errno \(code))")
    }
}
