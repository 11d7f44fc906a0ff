import COpenSSL
package import Secret

/// AES-256-GCM (NIST SP 800-38D) by OpenSSL: encryption that notices any change to the text or to what goes with it.
package enum AESGCM {
    /// AES-256.
    package static let keyBytes = 32
    /// 96 bits: the length that GCM uses as it is.
    package static let nonceBytes = 12
    /// The full tag: a shorter one would be easier to forge.
    package static let tagBytes = 16

    /// What encryption gives. The nonce must never be used twice under one key.
    package struct Sealed: Hashable, Sendable {
        /// `nonceBytes` long; not secret.
        package var nonce: [UInt8]
        /// As long as the plain text.
        package var ciphertext: [UInt8]
        package var tag: [UInt8]

        package init(nonce: [UInt8], ciphertext: [UInt8], tag: [UInt8]) {
            self.nonce = nonce
            self.ciphertext = ciphertext
            self.tag = tag
        }
    }

    /// - Parameter key: 32 bytes.
    /// - Parameter nonce: 12 bytes, fresh for each call under the same key.
    /// - Parameter associated: authenticated, not encrypted.
    package static func seal(_ plain: Secret, key: Secret, nonce: [UInt8], associated: [UInt8]) -> Sealed {
        precondition(plain.count <= Int32.max && associated.count <= Int32.max, "OpenSSL counts in Int32")
        let context = prepared(key: key, nonce: nonce, encrypts: true)
        defer { EVP_CIPHER_CTX_free(context) }
        var length: Int32 = 0
        let isTaken = EVP_EncryptUpdate(context, nil, &length, associated, Int32(associated.count)) == 1
        precondition(isTaken, "OpenSSL takes associated data")
        var ciphertext = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: tagBytes)
        plain.withUTF8 { plain in
            let isSealed =
                EVP_EncryptUpdate(context, &ciphertext, &length, plain.baseAddress, Int32(plain.count)) == 1
                && EVP_EncryptFinal_ex(context, nil, &length) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), &tag) == 1
            precondition(isSealed, "encrypting memory does not fail")
        }
        return Sealed(nonce: nonce, ciphertext: ciphertext, tag: tag)
    }

    /// - Returns: nil if key, nonce, ciphertext, tag or associated data is not what was sealed.
    package static func open(_ sealed: Sealed, key: Secret, associated: [UInt8]) -> Secret? {
        guard sealed.nonce.count == nonceBytes, sealed.tag.count == tagBytes, key.count == keyBytes,
            sealed.ciphertext.count <= Int32.max
        else { return nil }
        let context = prepared(key: key, nonce: sealed.nonce, encrypts: false)
        defer { EVP_CIPHER_CTX_free(context) }
        var length: Int32 = 0
        var tag = sealed.tag
        var plain = [UInt8](repeating: 0, count: sealed.ciphertext.count)
        let isGenuine =
            EVP_DecryptUpdate(context, nil, &length, associated, Int32(associated.count)) == 1
            && EVP_DecryptUpdate(context, &plain, &length, sealed.ciphertext, Int32(sealed.ciphertext.count)) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), &tag) == 1
            && EVP_DecryptFinal_ex(context, nil, &length) == 1
        guard isGenuine else {
            plain.cleanse()
            return nil
        }
        return Secret(plain)
    }

    private static func prepared(key: Secret, nonce: [UInt8], encrypts: Bool) -> OpaquePointer {
        precondition(key.count == keyBytes && nonce.count == nonceBytes, "a key has 32 bytes and a nonce 12")
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory for a cipher") }
        let begun = key.withUTF8 { key in
            EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key.baseAddress, nonce, encrypts ? 1 : 0)
        }
        precondition(begun == 1, "OpenSSL has AES-256-GCM")
        return context
    }
}

/// Random bytes from OpenSSL's generator, which the system seeds.
package func randomBytes(_ count: Int) throws(VaultError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else {
        throw VaultError(.unavailable, "the system gives no random numbers; try again", isRetriable: true)
    }
    return bytes
}
