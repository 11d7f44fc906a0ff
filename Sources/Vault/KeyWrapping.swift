package import Secret

/// Who can wrap the keys of secrets: a master key of our own (`LocalMasterKey`), or a key service.
package protocol KeyWrapping: Sendable {
    /// Which key wraps.
    var name: KeyName { get }

    /// A fresh data key, and the same wrapped.
    /// - Throws: as `wrap`.
    func newDataKey(context: KeyContext) async throws(VaultError) -> (plain: Secret, wrapped: [UInt8])

    /// - Parameter context: authenticated with the key; unwrapping must name the same.
    /// - Throws: `VaultError`; a key service's passing failures are `isRetriable`.
    func wrap(_ dataKey: Secret, context: KeyContext) async throws(VaultError) -> [UInt8]

    /// - Parameter keyID: of this kind, as the envelope has it.
    /// - Throws: `VaultError.tampered` if the bytes or the context differ from what was wrapped.
    func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) async throws(VaultError) -> Secret
}

extension KeyWrapping {
    package func newDataKey(context: KeyContext) async throws(VaultError) -> (plain: Secret, wrapped: [UInt8]) {
        let plain = Secret(try randomBytes(AESGCM.keyBytes))
        return (plain, try await wrap(plain, context: context))
    }
}

/// A key that wraps others, as an envelope names it.
package struct KeyName: Hashable, Sendable {
    /// `local`, `aws-kms` …
    package let kind: String
    /// Tells the keys of one kind apart; not secret.
    package let id: String

    package init(kind: String, id: String) {
        self.kind = kind
        self.id = id
    }
}

/// What a data key belongs to. A wrapped key opens for nothing else.
package struct KeyContext: Hashable, Sendable {
    /// Names and values in a fixed order. No value is secret: a key service writes them into its own log.
    package let pairs: [(name: String, value: String)]

    package static func == (left: KeyContext, right: KeyContext) -> Bool { left.bytes == right.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// Whatever says which secret this is: the data itself is authenticated with the same.
    package init(_ entry: SecretEntry) {
        pairs = [
            ("format", "finops envelope 1"), ("id", entry.id), ("version", String(entry.version)),
            ("purpose", entry.purpose), ("created", String(entry.created)),
        ]
    }

    /// Of no secret: for trying a key.
    package static let trial = KeyContext(pairs: [("format", "finops trial")])

    private init(pairs: [(name: String, value: String)]) { self.pairs = pairs }

    /// Each value preceded by its length, so that no two entries give the same bytes.
    package var bytes: [UInt8] { pairs.flatMap { Array("\($0.value.utf8.count):\($0.value)".utf8) } }
}
