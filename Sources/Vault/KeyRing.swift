/// The keys under which the secrets of a vault lie, and which of them is for what. Asked at every use, since another
/// process may be changing keys.
package protocol KeyRing: Sendable {
    /// The key that wraps a secret of this purpose from now on. It waits for nobody but the disk.
    func wanted(for purpose: String) throws(VaultError) -> KeyName
    /// - Throws: `VaultError.masterKeyDiffers` where this ring has no such key; `.masterKeyMissing`.
    func key(_ name: KeyName) throws(VaultError) -> any KeyWrapping
}

/// One key for everything.
struct SingleKey: KeyRing {
    let wrapping: any KeyWrapping

    func wanted(for purpose: String) -> KeyName { wrapping.name }

    func key(_ name: KeyName) throws(VaultError) -> any KeyWrapping {
        guard name.kind == wrapping.name.kind else {
            throw VaultError(
                .masterKeyDiffers, "it was encrypted by \(name.kind), and this vault uses \(wrapping.name.kind)")
        }
        return wrapping
    }
}

/// The keys of a state directory: local ones in files, and where one is set up, a key service whose address and
/// credentials are a secret of this very vault, under the local key.
package struct VaultKeys: KeyRing {
    /// Makes a service's client of its settings. It must not ask the service.
    package typealias Connecting = @Sendable (KeyServiceSettings) throws(VaultError) -> any KeyWrapping

    package let local: LocalKeys
    private let vault: String
    private let connect: Connecting

    /// - Parameter vault: the directory of secrets.
    package init(vault: String, local: LocalKeys, connect: @escaping Connecting) {
        self.vault = vault
        self.local = local
        self.connect = connect
    }

    /// Whether secrets of this purpose stay under the local key, whatever is set up. The way to the key service cannot
    /// lie behind that service; and every command opens the name of who acts, also the one that disables a key while
    /// the service is out of reach.
    package static func staysLocal(_ purpose: String) -> Bool {
        [
            SecretPurpose.keyService, SecretPurpose.person, SecretPurpose.personToken, SecretPurpose.personRole,
        ].contains(purpose)
    }

    package func wanted(for purpose: String) throws(VaultError) -> KeyName {
        if !Self.staysLocal(purpose), let service = try service(), service.isWanted {
            return KeyName(kind: service.kind, id: service.keyID)
        }
        return try local.current().name
    }

    package func key(_ name: KeyName) throws(VaultError) -> any KeyWrapping {
        if name.kind == LocalMasterKey.kind { return try local.key(name.id) }
        guard let service = try service(), service.kind == name.kind else {
            throw VaultError(
                .masterKeyDiffers,
                "it was encrypted by \(name.kind), which is not set up: run `finops vault kms set`")
        }
        return try connect(service)
    }

    /// - Returns: nil where none was ever set up.
    /// - Throws: `VaultError`, as `SecretStore.secret`.
    package func service() throws(VaultError) -> KeyServiceSettings? {
        let store = SecretStore(directory: vault, keys: self)
        guard let secret = try store.localSecret(KeyServiceSettings.secretID, for: SecretPurpose.keyService, local)
        else { return nil }
        guard let settings = KeyServiceSettings(secret) else {
            throw VaultError(
                .tampered, "the settings of the key service are not what was written: run `finops vault kms set` again")
        }
        return settings
    }
}
