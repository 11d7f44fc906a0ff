/// Why a record could not be kept.
package struct SpoolFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let path: String
    /// What the system said.
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { "\(path): \(reason)" }
}
