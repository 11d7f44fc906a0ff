package import Secret

import Digest
import Glibc

/// Wraps data keys under 32 random bytes in a file that only its owner can read.
package struct LocalMasterKey: KeyWrapping {
    package static let kind = "local"
    package var name: KeyName { KeyName(kind: Self.kind, id: keyID) }
    /// Eight bytes of an HMAC under the key, in hexadecimal: names the key without telling anything about it.
    package let keyID: String
    private let key: Secret

    /// - Parameter key: 32 bytes.
    package init(_ key: Secret) {
        precondition(key.count == AESGCM.keyBytes, "a master key has 32 bytes")
        self.key = key
        keyID = hexText(key.withUTF8 { hmacSHA256(key: $0, message: Array("finops master key".utf8)) }.prefix(8))
    }

    /// Makes the key's file (0600) and its directory (0700). A file that is there stays as it is.
    /// - Returns: whether it was made now.
    /// - Throws: `VaultError.fileSystem`.
    package static func create(at path: String) throws(VaultError) -> Bool {
        if access(path, F_OK) == 0 { return false }
        try PrivateFile.makeDirectory(PrivateFile.directory(of: path))
        var bytes = try randomBytes(AESGCM.keyBytes)
        defer { bytes.cleanse() }
        try PrivateFile.prepare(bytes, for: path).commit()
        return true
    }

    /// - Throws: `VaultError.masterKeyMissing`; `.permissions` where others may read the file or enter its directory;
    ///   `.tampered` if it has not 32 bytes.
    package static func open(at path: String) throws(VaultError) -> LocalMasterKey {
        guard access(path, F_OK) == 0 || errno != ENOENT else {
            throw VaultError(
                .masterKeyMissing,
                "there is no master key at \(path): run `finops init`, or put back the key that was saved with the backup"
            )
        }
        try PrivateFile.checkPrivate(PrivateFile.directory(of: path), remedyMode: "700")
        try PrivateFile.checkPrivate(path, remedyMode: "600")
        var bytes = try PrivateFile.read(path)
        defer { bytes.cleanse() }
        guard bytes.count == AESGCM.keyBytes else {
            throw VaultError(
                .tampered,
                "the master key at \(path) has \(bytes.count) bytes, not \(AESGCM.keyBytes): put back the key that was saved with the backup"
            )
        }
        return LocalMasterKey(bytes.withUnsafeBufferPointer { Secret(copying: $0) })
    }

    /// A fresh nonce, the tag, then the encrypted key.
    package func wrap(_ dataKey: Secret, context: KeyContext) throws(VaultError) -> [UInt8] {
        let sealed = AESGCM.seal(
            dataKey, key: key, nonce: try randomBytes(AESGCM.nonceBytes), associated: Self.purpose + context.bytes)
        return sealed.nonce + sealed.tag + sealed.ciphertext
    }

    /// - Throws: `VaultError.masterKeyDiffers`; `.tampered`.
    package func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) throws(VaultError) -> Secret {
        guard keyID == self.keyID else {
            throw VaultError(
                .masterKeyDiffers,
                "it was encrypted under master key \(keyID), but the file holds \(self.keyID): put back the key that was saved with the backup"
            )
        }
        let head = AESGCM.nonceBytes + AESGCM.tagBytes
        let sealed = AESGCM.Sealed(
            nonce: Array(wrapped.prefix(AESGCM.nonceBytes)),
            ciphertext: Array(wrapped.dropFirst(head)),
            tag: Array(wrapped.dropFirst(AESGCM.nonceBytes).prefix(AESGCM.tagBytes)))
        guard let dataKey = AESGCM.open(sealed, key: key, associated: Self.purpose + context.bytes) else {
            throw VaultError(.tampered, "its encrypted data key is not what was written")
        }
        return dataKey
    }

    /// Keeps a wrapped data key apart from everything else that this key may ever encrypt.
    private static let purpose = Array("finops data key\0".utf8)
}
