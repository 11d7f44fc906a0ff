package import Secret

/// Who can wrap the keys of secrets: a master key of our own (`LocalMasterKey`), or a key service.
package protocol KeyWrapping: Sendable {
    /// The word that says in an envelope which kind of wrapping it has: `local`, `aws-kms` …
    var kind: String { get }
    /// Which key of that kind wraps now.
    var keyID: String { get }

    /// - Parameter context: authenticated with the key; unwrapping must name the same.
    /// - Throws: `VaultError`; a key service's passing failures are `isRetriable`.
    func wrap(_ dataKey: Secret, context: [UInt8]) async throws(VaultError) -> [UInt8]

    /// - Throws: `VaultError.tampered` if the bytes or the context differ from what was wrapped.
    func unwrap(_ wrapped: [UInt8], keyID: String, context: [UInt8]) async throws(VaultError) -> Secret
}
