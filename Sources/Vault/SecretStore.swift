package import Secret

import Digest
import Glibc

/// What is known of a secret without decrypting it.
package struct SecretEntry: Hashable, Sendable {
    /// Also the name of its file, with what no file name should hold escaped.
    package let id: String
    /// What it may be used for, such as `provider-credential`; authenticated.
    package let purpose: String
    /// 1, then one more with every new value.
    package let version: Int
    /// Unix seconds.
    package let created: Int64
    /// What wrapped its data key: no other key opens it.
    package let wrapping: KeyName
}

/// The vault: a directory (0700) with one encrypted file (0600) per secret. Each secret has a data key of its own,
/// used once and wrapped by a `KeyWrapping`; any changed byte is noticed when the secret is opened.
package struct SecretStore: Sendable {
    package let directory: String
    package let keys: any KeyRing

    /// - Parameter directory: made with mode 0700 when the first secret is put.
    package init(directory: String, keys: any KeyRing) {
        self.directory = directory
        self.keys = keys
    }

    /// With one key for everything.
    package init(directory: String, wrapping: any KeyWrapping) {
        self.init(directory: directory, keys: SingleKey(wrapping: wrapping))
    }

    /// What a `put` came to.
    package enum PutOutcome: Hashable, Sendable {
        /// The vault holds this very secret already, in this version.
        case unchanged(version: Int)
        /// The vault holds it now, in this version.
        case stored(version: Int)
    }

    /// Keeps a secret under an id; a different value becomes the next version, and the old one is gone.
    /// - Parameter now: Unix seconds.
    /// - Throws: `VaultError`: `.malformedName`, `.wrongPurpose` if the id is taken for another one, `.tampered`, and
    ///   what files and key services say.
    package func put(
        _ secret: Secret, id: String, purpose: String, at now: Int64
    ) async throws(VaultError) -> PutOutcome {
        try Self.check(name: id, field: "id")
        try Self.check(name: purpose, field: "purpose")
        try PrivateFile.makeDirectory(directory)
        for _ in 0..<Self.attempts {
            let old = try await unwrapped(id, for: purpose)
            if let old, try open(old.envelope, with: old.dataKey) == secret {
                return .unchanged(version: old.envelope.entry.version)
            }
            let entry = SecretEntry(
                id: id, purpose: purpose, version: (old?.envelope.entry.version ?? 0) + 1, created: now,
                wrapping: try keys.wanted(for: purpose))
            let new = try await seal(secret, as: entry)
            if try replace(old?.envelope, by: new) { return .stored(version: entry.version) }
        }
        throw contended(id)
    }

    private func seal(_ secret: Secret, as entry: SecretEntry) async throws(VaultError) -> Envelope {
        let context = KeyContext(entry)
        let key = try keys.key(entry.wrapping)
        let dataKey = try await key.newDataKey(context: context)
        try await Self.prove(dataKey.wrapped, opensAs: dataKey.plain, by: key, entry)
        let sealed = AESGCM.seal(
            secret, key: dataKey.plain, nonce: try randomBytes(AESGCM.nonceBytes), associated: context.bytes)
        return Envelope(entry: entry, sealed: sealed, encryptedDataKey: dataKey.wrapped)
    }

    /// Wraps a secret's data key by the key that is wanted now; the secret itself stays as it is.
    /// - Returns: its entry, and whether it was wrapped anew; nil if there is no such secret (any more).
    /// - Throws: `VaultError`, as `secret`; what wrapping throws.
    package func rewrap(_ id: String) async throws(VaultError) -> (entry: SecretEntry, hasChanged: Bool)? {
        for _ in 0..<Self.attempts {
            guard let present = try entry(ifAny: id) else { return nil }
            if try present.wrapping == keys.wanted(for: present.purpose) { return (present, false) }
            guard let (old, dataKey) = try await unwrapped(id, for: nil) else { return nil }
            let wanted = try keys.wanted(for: old.entry.purpose)
            let entry = SecretEntry(
                id: id, purpose: old.entry.purpose, version: old.entry.version, created: old.entry.created,
                wrapping: wanted)
            let key = try keys.key(wanted)
            let wrapped = try await key.wrap(dataKey, context: KeyContext(entry))
            try await Self.prove(wrapped, opensAs: dataKey, by: key, entry)
            if try replace(old, by: Envelope(entry: entry, sealed: old.sealed, encryptedDataKey: wrapped)) {
                return (entry, true)
            }
        }
        throw contended(id)
    }

    /// What does not open again would be lost with the value that it replaces.
    private static func prove(
        _ wrapped: [UInt8], opensAs dataKey: Secret, by key: any KeyWrapping, _ entry: SecretEntry
    ) async throws(VaultError) {
        let keyID = entry.wrapping.id
        guard try await key.unwrap(wrapped, keyID: keyID, context: KeyContext(entry)) == dataKey else {
            throw VaultError(
                .refused,
                "the key \(keyID) gave a wrapped data key that opens as another one: nothing was changed; "
                    + "try again, and look at the key service if it stays so")
        }
    }

    /// How often somebody else may be quicker: each time somebody's change was made.
    private static let attempts = 100

    private func contended(_ id: String) -> VaultError {
        VaultError(.unavailable, "secret \"\(id)\" is being changed by others all the time", isRetriable: true)
    }

    /// Puts an envelope in its place if that still holds what it was made from, and the key it is wrapped by is still
    /// the wanted one. Nobody waits for a key service meanwhile.
    private func replace(_ old: Envelope?, by new: Envelope) throws(VaultError) -> Bool {
        let replacement = try PrivateFile.prepare(new.bytes, for: path(of: new.entry.id))
        do throws(VaultError) {
            let isDone = try exclusively { () throws(VaultError) in
                guard try envelope(new.entry.id) == old, try keys.wanted(for: new.entry.purpose) == new.entry.wrapping
                else { return false }
                try replacement.commit()
                return true
            }
            if !isDone { try replacement.discard() }
            return isDone
        } catch {
            try replacement.discard()
            throw error
        }
    }

    /// Keeps every other writer of this vault out while `body` runs; readers go on.
    /// - Parameter body: short; it waits for nobody.
    /// - Throws: `VaultError.fileSystem`; what `body` throws.
    package func exclusively<R>(_ body: () throws(VaultError) -> R) throws(VaultError) -> R {
        try PrivateFile.makeDirectory(directory)
        return try PrivateFile.exclusively("\(directory)/.lock", body)
    }

    /// - Throws: `VaultError`: `.notFound`, `.wrongPurpose`, `.tampered`, `.masterKeyDiffers`, or a key service's.
    package func secret(_ id: String, for purpose: String) async throws(VaultError) -> Secret {
        try Self.check(name: id, field: "id")
        return try await opened(id, for: purpose)
    }

    private func opened(_ id: String, for purpose: String?) async throws(VaultError) -> Secret {
        guard let (envelope, dataKey) = try await unwrapped(id, for: purpose) else { throw notFound(id) }
        return try open(envelope, with: dataKey)
    }

    /// A secret that is still encrypted, and the key that opens it.
    /// - Parameter purpose: nil for whatever it is for.
    /// - Returns: nil if there is none.
    private func unwrapped(
        _ id: String, for purpose: String?
    ) async throws(VaultError) -> (envelope: Envelope, dataKey: Secret)? {
        guard var envelope = try envelope(id) else { return nil }
        while true {
            try Self.check(envelope, isFor: purpose)
            let entry = envelope.entry
            do throws(VaultError) {
                let dataKey = try await keys.key(entry.wrapping).unwrap(
                    envelope.encryptedDataKey, keyID: entry.wrapping.id, context: KeyContext(entry))
                return (envelope, dataKey)
            } catch {
                envelope = try changed(envelope, since: error)
            }
        }
    }

    /// A secret under a local key.
    /// - Returns: nil if there is none.
    func localSecret(_ id: String, for purpose: String, _ local: LocalKeys) throws(VaultError) -> Secret? {
        guard var envelope = try envelope(id) else { return nil }
        while true {
            try Self.check(envelope, isFor: purpose)
            let entry = envelope.entry
            do throws(VaultError) {
                let dataKey = try local.key(entry.wrapping.id).unwrap(
                    envelope.encryptedDataKey, keyID: entry.wrapping.id, context: KeyContext(entry))
                return try open(envelope, with: dataKey)
            } catch {
                envelope = try changed(envelope, since: error)
            }
        }
    }

    /// Another process may have wrapped it anew between reading it and looking for its key: then that one counts.
    /// - Throws: the failure, if nothing has changed.
    private func changed(_ envelope: Envelope, since failure: VaultError) throws(VaultError) -> Envelope {
        let id = envelope.entry.id
        guard let now = try self.envelope(id), now != envelope else {
            throw VaultError(failure.code, "secret \"\(id)\": \(failure.message)", isRetriable: failure.isRetriable)
        }
        return now
    }

    private static func check(_ envelope: Envelope, isFor purpose: String?) throws(VaultError) {
        let entry = envelope.entry
        guard purpose == nil || entry.purpose == purpose else {
            throw VaultError(
                .wrongPurpose, "secret \"\(entry.id)\" is for \(entry.purpose) and not for \(purpose ?? "")")
        }
    }

    private func open(_ envelope: Envelope, with dataKey: Secret) throws(VaultError) -> Secret {
        let associated = KeyContext(envelope.entry).bytes
        guard let secret = AESGCM.open(envelope.sealed, key: dataKey, associated: associated) else {
            throw damaged(envelope.entry.id)
        }
        return secret
    }

    /// Whether a secret can be opened, whatever it is for; its value is dropped at once.
    /// - Throws: `VaultError`: `.notFound`, `.tampered`, `.masterKeyDiffers`, or a key service's.
    package func check(_ id: String) async throws(VaultError) {
        _ = try await opened(id, for: nil)
    }

    /// The ids of all secrets, in their order.
    /// - Throws: `VaultError.fileSystem`.
    package func ids() throws(VaultError) -> [String] { try Self.ids(in: directory) }

    /// The same, of a vault whose master key may be lost.
    package static func ids(in directory: String) throws(VaultError) -> [String] {
        try fileNames(in: directory).compactMap { id(ofFile: $0.dropLast(suffix.count)) }.sorted()
    }

    /// The files of all secrets, in their order.
    /// - Throws: `VaultError.fileSystem`.
    package static func fileNames(in directory: String) throws(VaultError) -> [String] {
        try allNames(in: directory).filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
    }

    private static func allNames(in directory: String) throws(VaultError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw PrivateFile.failure("read the directory \(directory)")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names
    }

    /// What is known of a secret without opening it.
    /// - Throws: `VaultError`: `.notFound`; `.tampered` for a file that is no envelope of ours.
    package func entry(_ id: String) throws(VaultError) -> SecretEntry {
        guard let entry = try entry(ifAny: id) else { throw notFound(id) }
        return entry
    }

    private func entry(ifAny id: String) throws(VaultError) -> SecretEntry? { try envelope(id)?.entry }

    /// All entries in the order of their ids.
    /// - Throws: `VaultError.tampered` for the first file that is no envelope of ours; `.fileSystem`.
    package func entries() throws(VaultError) -> [SecretEntry] {
        var entries: [SecretEntry] = []
        for id in try ids() { if let entry = try envelope(id)?.entry { entries.append(entry) } }
        return entries
    }

    /// - Returns: whether there was such a secret.
    package func remove(_ id: String) throws(VaultError) -> Bool {
        try Self.check(name: id, field: "id")
        guard access(directory, F_OK) == 0 else { return false }
        return try exclusively { () throws(VaultError) in
            // Also what a killed command left half-made, and what a restored backup set aside.
            let name = Self.fileName(of: id) + Self.suffix
            for other in try Self.allNames(in: directory)
            where other.hasPrefix(".\(name).") || other.hasPrefix("\(name).replaced") {
                _ = try PrivateFile.remove("\(directory)/\(other)")
            }
            return try PrivateFile.remove(path(of: id))
        }
    }

    private static let suffix = ".secret.json"

    private func path(of id: String) -> String { "\(directory)/\(Self.fileName(of: id))\(Self.suffix)" }

    /// What no file name should hold is written as `%XX`, a dot in front included.
    private static func fileName(of id: String) -> String {
        var name = ""
        for byte in id.utf8 {
            let isPlain = isalnum(Int32(byte)) != 0 && byte < 0x80
            if isPlain || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || (byte == UInt8(ascii: ".") && !name.isEmpty)
            {
                name.append(Character(Unicode.Scalar(byte)))
            } else {
                name += "%" + hexText([byte])
            }
        }
        return name
    }

    private static func id(ofFile name: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = name.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(escaped)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The id inside must be the file's name: else two files could be swapped unnoticed.
    private func envelope(_ id: String) throws(VaultError) -> Envelope? {
        let path = path(of: id)
        guard access(path, F_OK) == 0 else { return nil }
        let bytes: [UInt8]
        do { bytes = try PrivateFile.read(path) } catch {
            // Somebody may have removed it in between.
            if access(path, F_OK) != 0 { return nil }
            throw error
        }
        guard let envelope = Envelope(bytes), envelope.entry.id == id else { throw damaged(id) }
        return envelope
    }

    private func notFound(_ id: String) -> VaultError {
        VaultError(.notFound, "the vault holds no secret \"\(id)\": `finops vault list` shows what it holds")
    }

    private func damaged(_ id: String) -> VaultError {
        VaultError(
            .tampered,
            "secret \"\(id)\" is not what was written (\(path(of: id))), or the key service has given another key: put the file "
                + "back from a backup; where there is none, `finops vault rm \(id)` removes it for good, to be entered again"
        )
    }

    /// File names have 255 bytes, of which an escaped byte takes three.
    private static func check(name: String, field: String) throws(VaultError) {
        guard (1...64).contains(name.utf8.count),
            !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else {
            throw VaultError(
                .malformedName,
                "a secret's \(field) has 1 to 64 bytes (a Hangul syllable has 3) and no control characters")
        }
    }
}
