import COpenSSL

/// HMAC-SHA-256 (RFC 2104): the 32 bytes that only a holder of the key can compute for a message.
///
/// Of two plain digests: OpenSSL's own function looks the algorithm up several times a call, which costs many times more
/// than hashing a short message, and the gateway asks for every request.
package func hmacSHA256(key: UnsafeBufferPointer<UInt8>, message: [UInt8]) -> [UInt8] {
    let block = 64
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: block) { pad in
        var hash = SHA256()
        pad.initialize(repeating: 0)
        if key.count > block {
            hash.update(UnsafeRawBufferPointer(key))
            hash.finish(into: UnsafeMutableRawBufferPointer(pad))
            hash.reset()
        } else {
            for place in 0..<key.count { pad[place] = key[place] }
        }
        // What is left of the key on the stack would outlive it, and plain stores to memory that nobody reads are left out.
        defer { OPENSSL_cleanse(pad.baseAddress, block) }
        for place in 0..<block { pad[place] ^= 0x36 }
        hash.update(UnsafeRawBufferPointer(pad))
        hash.update(message)
        let inner = hash.finish()
        for place in 0..<block { pad[place] ^= 0x36 ^ 0x5C }
        hash.reset()
        hash.update(UnsafeRawBufferPointer(pad))
        hash.update(inner)
        return hash.finish()
    }
}
