import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Secret
import Vault

/// A value for a key of the gateway, just made up: shown once, kept nowhere.
struct NewKey: Sendable {
    let text: Secret
    let prefix: String
    let hash: KeyHash

    /// - Throws: `VaultError`; what making the vault's secret for hashes throws.
    static func make(
        in session: AdministrationSession, _ vault: SecretStore, _ directory: StateDirectory, reason: String
    ) async throws -> NewKey {
        let secret = try await session.keyHashSecret(in: vault, directory, reason: reason)
        var bits = try randomBytes(VirtualKey.randomBytes)
        defer { bits.cleanse() }
        var text = VirtualKey.text(of: bits)
        defer { text.cleanse() }
        let hash = secret.withUTF8 { KeyHash(of: text, under: $0) }
        return NewKey(text: Secret(text), prefix: VirtualKey.prefix(of: text), hash: hash)
    }

    /// Prints it: the only time that anybody sees it.
    func show(_ sentence: String, _ members: [JSONValue.Member], _ options: GlobalOptions) throws {
        let text = text.withUTF8 { String(decoding: $0, as: UTF8.self) }
        guard options.json else {
            if !options.quiet { Output.message("\(sentence); it is shown this once:") }
            return try Output.line(text)
        }
        try Output.line(
            JSONValue.object(
                [.init("changed", true)] + members.prefix(1) + [
                    .init("key", .string(text)), .init("prefix", .string(prefix)),
                ] + members.dropFirst()
            ).text)
    }
}

extension AdministrationSession {
    /// What hashes of keys are made with; made up with the first key. Another one would make every key unknown, so two
    /// commands must not both make one.
    fileprivate nonisolated func keyHashSecret(
        in vault: SecretStore, _ directory: StateDirectory, reason: String
    ) async throws -> Secret {
        if let known = try await knownKeyHashSecret(in: vault) { return known }
        guard let lock = try FileLock(path: directory.run + "/key-hash.lock") else {
            throw CommandFailure(.tryAgain, "another command is issuing the first key: try again")
        }
        defer { withExtendedLifetime(lock) {} }
        if let known = try await knownKeyHashSecret(in: vault) { return known }
        let secret = Secret(try randomBytes(KeyHash.byteCount))
        _ = try await keep(
            secret, id: VirtualKey.hashSecretID, purpose: SecretPurpose.gatewayKeyHash, in: vault, reason: reason)
        return secret
    }

    private nonisolated func knownKeyHashSecret(in vault: SecretStore) async throws -> Secret? {
        do { return try await vault.secret(VirtualKey.hashSecretID, for: SecretPurpose.gatewayKeyHash) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}
