import Digest
import Secret

/// A person as events know them: a random id. The name is a secret of its own in the vault; removing it forgets them.
package struct Person: Hashable, Sendable {
    /// 32 hexadecimal digits.
    package let id: String
    /// As they gave it or their system account has it; in no event and no log.
    package let name: String

    static let prefix = "person-"

    /// Whether a secret says something of a person: of such there are no events but those of roles.
    package static func isAbout(_ entry: SecretEntry) -> Bool {
        entry.purpose == SecretPurpose.person || entry.purpose == SecretPurpose.personToken
    }

    /// Of a person whose name is gone: it says so, and lets a command that was interrupted go on.
    private static let forgottenPrefix = "forgotten-"
    private static let operatorPrefix = "operator-"

    private static func secretID(of id: String) -> String { prefix + id }

    /// Makes up an id and keeps the name.
    /// - Parameter now: Unix seconds.
    /// - Throws: what `SecretStore.put` throws.
    package static func add(name: String, to store: SecretStore, at now: Int64) async throws(VaultError) -> Person {
        let id = hexText(try randomBytes(16))
        _ = try await store.put(Secret(Array(name.utf8)), id: secretID(of: id), purpose: SecretPurpose.person, at: now)
        return Person(id: id, name: name)
    }

    /// - Returns: nil if the vault never knew the person, or has forgotten them.
    /// - Throws: what `SecretStore.secret` throws.
    package static func find(id: String, in store: SecretStore) async throws(VaultError) -> Person? {
        do {
            let name = try await store.secret(secretID(of: id), for: SecretPurpose.person)
            return Person(id: id, name: name.withUTF8 { String(decoding: $0, as: UTF8.self) })
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Everybody the vault knows, in the order of their ids.
    package static func all(in store: SecretStore) async throws(VaultError) -> [Person] {
        var people: [Person] = []
        for entry in try store.entries() where entry.purpose == SecretPurpose.person && entry.id.hasPrefix(prefix) {
            if let person = try await find(id: String(entry.id.dropFirst(prefix.count)), in: store) {
                people.append(person)
            }
        }
        return people
    }

    /// Destroys the name, the token and which user they are, each with the key it was encrypted under; nothing in this
    /// directory leads from the id to a person any more. What they may do is a secret of its own (`roleID`).
    /// - Parameter now: Unix seconds.
    /// - Returns: whether anything was left; nil if the vault never knew such a person.
    /// - Throws: `VaultError`; the same call goes on where it was interrupted.
    package static func forget(
        id: String, in store: SecretStore, at now: Int64
    ) async throws(VaultError) -> Bool? {
        let ids = try store.ids()
        guard ids.contains(secretID(of: id)) || ids.contains(forgottenPrefix + id) else { return nil }
        // Not opened: it says the same under any key, also under one that is lost.
        if !ids.contains(forgottenPrefix + id) {
            _ = try await store.put(
                Secret(Array("forgotten".utf8)), id: forgottenPrefix + id, purpose: SecretPurpose.person, at: now)
        }
        var wasThere = try store.remove(secretID(of: id))
        if try store.remove(tokenID(of: id)) { wasThere = true }
        for user in ids where user.hasPrefix(operatorPrefix) {
            let known = try await store.secret(user, for: SecretPurpose.person)
            if known == Secret(Array(id.utf8)), try store.remove(user) { wasThere = true }
        }
        return wasThere
    }

    /// The ids of those whose names are gone, in their order.
    /// - Throws: `VaultError.fileSystem`.
    package static func forgotten(in store: SecretStore) throws(VaultError) -> [String] {
        try store.ids().filter { $0.hasPrefix(forgottenPrefix) }.map { String($0.dropFirst(forgottenPrefix.count)) }
    }

    /// The person as whom a user of this machine acts. One who was never seen is added under `name`.
    /// - Parameter user: the system's user id.
    /// - Parameter now: Unix seconds.
    package static func acting(
        user: UInt32, name: String, in store: SecretStore, at now: Int64
    ) async throws(VaultError) -> Person {
        // Which user is which person is in the vault as well, so that no other file ties a name to an id.
        let key = operatorPrefix + "\(user)"
        do {
            let id = try await store.secret(key, for: SecretPurpose.person).withUTF8 {
                String(decoding: $0, as: UTF8.self)
            }
            if let person = try await find(id: id, in: store) { return person }
        } catch  where error.code == .notFound {
            // The first command of this user.
        }
        let person = try await add(name: name, to: store, at: now)
        _ = try await store.put(Secret(Array(person.id.utf8)), id: key, purpose: SecretPurpose.person, at: now)
        return person
    }
}
