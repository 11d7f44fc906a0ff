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
    /// What wrapped its data key: `KeyWrapping.kind`.
    package let wrappingKind: String
    /// Which key did: another master key cannot open it.
    package let wrappingKeyID: String
}

/// The vault: a directory (0700) with one encrypted file (0600) per secret. Each secret has a data key of its own,
/// used once and wrapped by a `KeyWrapping`; any changed byte is noticed when the secret is opened.
package struct SecretStore: Sendable {
    package let directory: String
    private let wrapping: any KeyWrapping

    /// - Parameter directory: made with mode 0700 when the first secret is put.
    package init(directory: String, wrapping: any KeyWrapping) {
        self.directory = directory
        self.wrapping = wrapping
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
        let old = try envelope(id)
        if let old, try await open(old, for: purpose) == secret { return .unchanged(version: old.entry.version) }
        let entry = SecretEntry(
            id: id, purpose: purpose, version: (old?.entry.version ?? 0) + 1, created: now,
            wrappingKind: wrapping.kind, wrappingKeyID: wrapping.keyID)
        let envelope = try await seal(secret, as: entry)
        try PrivateFile.prepare(envelope.bytes, for: path(of: id)).commit()
        return .stored(version: entry.version)
    }

    private func seal(_ secret: Secret, as entry: SecretEntry) async throws(VaultError) -> Envelope {
        let associated = Envelope.associatedData(of: entry)
        let dataKey = Secret(try randomBytes(AESGCM.keyBytes))
        let sealed = AESGCM.seal(
            secret, key: dataKey, nonce: try randomBytes(AESGCM.nonceBytes), associated: associated)
        return Envelope(
            entry: entry, sealed: sealed, encryptedDataKey: try await wrapping.wrap(dataKey, context: associated))
    }

    /// - Throws: `VaultError`: `.notFound`, `.wrongPurpose`, `.tampered`, `.masterKeyDiffers`, or a key service's.
    package func secret(_ id: String, for purpose: String) async throws(VaultError) -> Secret {
        try Self.check(name: id, field: "id")
        guard let envelope = try envelope(id) else { throw notFound(id) }
        return try await open(envelope, for: purpose)
    }

    private func open(_ envelope: Envelope, for purpose: String) async throws(VaultError) -> Secret {
        let entry = envelope.entry
        guard entry.purpose == purpose else {
            throw VaultError(
                .wrongPurpose, "secret \"\(entry.id)\" is for \(entry.purpose) and not for \(purpose)")
        }
        guard entry.wrappingKind == wrapping.kind else {
            throw VaultError(
                .masterKeyDiffers,
                "secret \"\(entry.id)\" was encrypted by \(entry.wrappingKind), and this vault uses \(wrapping.kind)")
        }
        let associated = Envelope.associatedData(of: entry)
        let dataKey: Secret
        do {
            dataKey = try await wrapping.unwrap(
                envelope.encryptedDataKey, keyID: entry.wrappingKeyID, context: associated)
        } catch {
            throw VaultError(error.code, "secret \"\(entry.id)\": \(error.message)", isRetriable: error.isRetriable)
        }
        guard let secret = AESGCM.open(envelope.sealed, key: dataKey, associated: associated) else {
            throw damaged(entry.id)
        }
        return secret
    }

    /// Whether a secret can be opened, whatever it is for; its value is dropped at once.
    /// - Throws: `VaultError`: `.notFound`, `.tampered`, `.masterKeyDiffers`, or a key service's.
    package func check(_ id: String) async throws(VaultError) {
        guard let envelope = try envelope(id) else { throw notFound(id) }
        _ = try await open(envelope, for: envelope.entry.purpose)
    }

    /// The ids of all secrets, in their order.
    /// - Throws: `VaultError.fileSystem`.
    package func ids() throws(VaultError) -> [String] { try Self.ids(in: directory) }

    /// The same, of a vault whose master key may be lost.
    package static func ids(in directory: String) throws(VaultError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw PrivateFile.failure("read the directory \(directory)")
        }
        defer { closedir(stream) }
        var ids: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(suffix), !name.hasPrefix(".") else { continue }
            if let id = id(ofFile: name.dropLast(suffix.count)) { ids.append(id) }
        }
        return ids.sorted()
    }

    /// What is known of a secret without opening it.
    /// - Throws: `VaultError`: `.notFound`; `.tampered` for a file that is no envelope of ours.
    package func entry(_ id: String) throws(VaultError) -> SecretEntry {
        guard let envelope = try envelope(id) else { throw notFound(id) }
        return envelope.entry
    }

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
        return try PrivateFile.remove(path(of: id))
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
        guard access(path(of: id), F_OK) == 0 else { return nil }
        guard let envelope = Envelope(try PrivateFile.read(path(of: id))), envelope.entry.id == id else {
            throw damaged(id)
        }
        return envelope
    }

    private func notFound(_ id: String) -> VaultError {
        VaultError(.notFound, "the vault holds no secret \"\(id)\": `finops vault list` shows what it holds")
    }

    private func damaged(_ id: String) -> VaultError {
        VaultError(
            .tampered,
            "secret \"\(id)\" is not what was written (\(path(of: id))): remove it with `finops vault rm \(id)` and enter it again"
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

/// What secrets are for. A secret opens for its purpose only.
package enum SecretPurpose {
    /// A key with which a provider's account is read.
    package static let providerCredential = "provider-credential"
    /// Where and as whom alerts are sent.
    package static let notificationChannel = "notification-channel"
    /// What an external scheduler shows to start a run.
    package static let cron = "cron"
    /// A key with which the gateway calls an upstream.
    package static let upstreamKey = "upstream-key"
    /// What the hashes of the gateway's own keys are made with.
    package static let gatewayKeyHash = "gateway-key-hash"
    /// By which a person is known who does not act as a user of this machine.
    package static let personToken = "person-token"
    /// What a person may do.
    package static let personRole = "person-role"
    /// Whatever a person put there by hand.
    package static let general = "general"
    /// A name, or which user is which person.
    static let person = "person"
}
