import EventLog
import FinOps
import Secret
import Vault

/// Changes of the vault, each with its event.
extension AdministrationSession {
    /// Keeps a secret; the same again changes nothing.
    /// - Returns: its version, and whether anything changed: the vault, or what the log knows of it.
    /// - Throws: `VaultError`; `StoreError`, after which the same command makes up for the missing event.
    nonisolated func keep(
        _ secret: Secret, id: String, purpose: String, in vault: SecretStore, reason: String
    ) async throws -> (version: Int, hasChanged: Bool) {
        let outcome = try await vault.put(secret, id: id, purpose: purpose, at: now.seconds)
        let (version, isNew) =
            switch outcome {
            case .unchanged(let version): (version, false)
            case .stored(let version): (version, true)
            }
        let events = try await decide(
            SecretRegister.self, on: .secret(id),
            .stored(
                id: id, purpose: purpose, version: UInt32(clamping: version),
                wrappedBy: WireWrappingKey(try vault.entry(id).wrapping), reason: reason))
        return (version, isNew || !events.isEmpty)
    }

    /// Says of a secret under which key it lies now, unless the log knows.
    /// - Returns: whether the log did not.
    /// - Throws: `StoreError`.
    nonisolated func recordKey(of entry: SecretEntry, reason: String) async throws -> Bool {
        let events = try await decide(
            SecretRegister.self, on: .secret(entry.id),
            .rewrapped(
                id: entry.id, purpose: entry.purpose, version: UInt32(clamping: entry.version),
                wrappedBy: WireWrappingKey(entry.wrapping), reason: reason))
        return !events.isEmpty
    }

    /// Removes a secret for good.
    /// - Returns: whether anything changed.
    /// - Throws: `VaultError`; `StoreError`.
    nonisolated func forget(_ id: String, in vault: SecretStore, reason: String) async throws -> Bool {
        let wasThere = try vault.remove(id)
        let events = try await decide(
            SecretRegister.self, on: .secret(id), .removed(id: id, wasThere: wasThere, reason: reason))
        return wasThere || !events.isEmpty
    }
}

extension WireWrappingKey {
    fileprivate init(_ name: KeyName) {
        self.init()
        (kind, keyID) = (name.kind, name.id)
    }
}
