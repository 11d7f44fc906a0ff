package import Secret

import Digest

/// What people may do, and how one is known who does not act as a user of this machine. All of it is in the vault.
extension Person {
    private static let tokenMark = "fp-"
    private static let administrator = "administrator"
    static func tokenID(of id: String) -> String { "token-\(id)" }
    private static let rolePrefix = "role-"

    /// The id of the secret that says what a person may do.
    package static func roleID(of id: String) -> String { rolePrefix + id }

    /// The value of that secret for an administrator.
    package static var administratorRole: Secret { Secret(Array(administrator.utf8)) }

    /// Who may approve what others ask for: those who were made it, and until anybody was, whom the vault knew first.
    /// - Throws: `VaultError`.
    package static func administrators(in store: SecretStore) async throws(VaultError) -> Set<String> {
        let entries = try store.entries()
        var found: Set<String> = []
        for entry in entries where entry.purpose == SecretPurpose.personRole && entry.id.hasPrefix(rolePrefix) {
            guard try await store.secret(entry.id, for: SecretPurpose.personRole) == administratorRole else { continue }
            found.insert(String(entry.id.dropFirst(rolePrefix.count)))
        }
        guard found.isEmpty else { return found }
        let people = entries.filter { $0.purpose == SecretPurpose.person && $0.id.hasPrefix(prefix) }
        let first = people.min { ($0.created, $0.id) < ($1.created, $1.id) }
        return Set(first.map { [String($0.id.dropFirst(prefix.count))] } ?? [])
    }

    /// Makes a token by which the person is known from now on; an earlier one is known no more.
    /// - Returns: `fp-` and 64 hexadecimal digits, of which only a digest is kept.
    /// - Throws: `VaultError`.
    package func makeToken(in store: SecretStore, at now: Int64) async throws(VaultError) -> Secret {
        var text = Array((Self.tokenMark + hexText(try randomBytes(32))).utf8)
        defer { text.cleanse() }
        _ = try await store.put(
            Secret(SHA256.hash(text)), id: Self.tokenID(of: id), purpose: SecretPurpose.personToken, at: now)
        return Secret(text)
    }

    /// The person of an id, if the token is theirs.
    /// - Returns: nil for another token, for somebody who has none, and for nobody.
    /// - Throws: `VaultError`.
    package static func authenticated(
        id: String, token: Secret, in store: SecretStore
    ) async throws(VaultError) -> Person? {
        guard id.utf8.count == 32, id.utf8.allSatisfy({ $0 < 0x80 && $0 > 0x20 }) else { return nil }
        let digest = token.withUTF8 { Secret(SHA256.hash(Array($0))) }
        do {
            guard try await store.secret(tokenID(of: id), for: SecretPurpose.personToken) == digest else { return nil }
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        return try await find(id: id, in: store)
    }
}
