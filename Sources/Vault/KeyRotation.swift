/// Moves the secrets of a vault from one key to another, one by one. Killed at any moment it goes on when it is begun
/// again; meanwhile every secret opens and new ones may be put.
package struct KeyRotation: Sendable {
    private let store: SecretStore
    private let local: LocalKeys

    /// - Parameter store: over `VaultKeys` with the same local keys.
    package init(_ store: SecretStore, local: LocalKeys) {
        self.store = store
        self.local = local
    }

    /// New secrets lie under a new local key from here on; of a change that was begun before, under that one's.
    /// - Returns: the id of that key.
    /// - Throws: `VaultError`.
    package func beginLocal() throws(VaultError) -> String {
        try store.exclusively { () throws(VaultError) in try local.begin() }
    }

    /// Wraps anew what lies under another key than the wanted one, in the order of the ids.
    /// - Parameter each: told of every secret, also of one that stayed as it was.
    /// - Throws: `VaultError` for the first secret that does not open, and what `each` throws.
    package func rewrapAll<Failure: Error>(
        _ each: (SecretEntry, _ hasChanged: Bool) async throws(Failure) -> Void
    ) async throws {
        for id in try store.ids() {
            if let (entry, hasChanged) = try await store.rewrap(id) { try await each(entry, hasChanged) }
        }
    }

    /// Retires the old local key, if nothing lies under it any more. Afterwards the new one alone is there.
    /// - Returns: false if something still does: then wrap anew and ask again.
    /// - Throws: `VaultError`; `.tampered` for a file of which nobody can say under which key it lies.
    package func endLocal() throws(VaultError) -> Bool {
        try store.exclusively { () throws(VaultError) in
            guard local.isChanging else { return true }
            let current = try local.current().name
            for entry in try store.entries()
            where entry.wrapping.kind == LocalMasterKey.kind && entry.wrapping != current { return false }
            try local.end()
            return true
        }
    }
}
