/// What went wrong with a secret, a master key or a key service, with the remedy in the sentence and no secret in it.
package struct VaultError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Short and stable, for programs.
    package enum Code: String, Sendable {
        /// There is no secret of that id.
        case notFound
        /// The file is not what was written, or belongs to another id.
        case tampered
        /// The secret exists, but for another purpose than the caller's.
        case wrongPurpose
        /// An id or a purpose that is not allowed.
        case malformedName
        /// There is no key's file where it should be.
        case masterKeyMissing
        /// The master key is not the one that wrapped this secret.
        case masterKeyDiffers
        /// Somebody else may read what only the owner may.
        case permissions
        /// The file system said no.
        case fileSystem
        /// A key service refused.
        case refused
        /// A key service did not answer, or asked to wait.
        case unavailable
    }

    package let code: Code
    /// A sentence with the remedy; no secret is in it.
    package let message: String
    /// Whether the same call may succeed later by itself.
    package let isRetriable: Bool

    package init(_ code: Code, _ message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    package var description: String { message }
}
