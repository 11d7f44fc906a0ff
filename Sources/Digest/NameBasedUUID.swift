import COpenSSL

/// The two halves of a version-5 UUID (RFC 9562, 5.5): SHA-1 over a namespace and a name. The same natural key always
/// gives the same id, which is how a repeat is recognised.
package func nameBasedUUID(namespace: (high: UInt64, low: UInt64), name: String) -> (high: UInt64, low: UInt64) {
    var message: [UInt8] = []
    for half in [namespace.high, namespace.low] { withUnsafeBytes(of: half.bigEndian) { message += $0 } }
    message += Array(name.utf8)
    var digest = [UInt8](repeating: 0, count: 20)
    let status = EVP_Digest(message, message.count, &digest, nil, EVP_sha1(), nil)
    precondition(status == 1, "OpenSSL has SHA-1")
    let high = digest[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let low = digest[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return (high & ~0xF000 | 0x5000, low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
}
