import COpenSSL

/// HMAC-SHA-256 (RFC 2104): the 32 bytes that only a holder of the key can compute for a message.
package func hmacSHA256(key: UnsafeBufferPointer<UInt8>, message: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
        let answer = HMAC(
            EVP_sha256(), key.baseAddress, Int32(key.count), message, message.count, buffer.baseAddress, nil)
        precondition(answer != nil, "OpenSSL has HMAC with SHA-256")
        count = 32
    }
}
