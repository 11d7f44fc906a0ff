import COpenSSL

/// SHA-256 (FIPS 180-4) by OpenSSL, over pieces given one after another. Not for two threads at once.
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory for a digest") }
        self.context = context
        reset()
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Makes it ready for the next message without a new allocation.
    package mutating func reset() {
        let status = EVP_DigestInit_ex(context, Self.algorithm, nil)
        precondition(status == 1, "OpenSSL has SHA-256")
    }

    /// Fetched once: an implicit fetch per digest costs more than hashing a small message.
    ///
    /// What: a pointer to OpenSSL's description of the algorithm, never freed.
    /// Why safe: a fetched EVP_MD is immutable and counts its references atomically; a static is made once, by one thread.
    /// Why needed: pointers are not Sendable.
    private nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// Takes in the next piece of the message.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "hashing memory does not fail")
    }

    /// Takes in the next piece of the message.
    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The 32 bytes; afterwards call `reset` before the next message.
    package mutating func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            let status = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(status == 1, "a started digest finishes")
            count = 32
        }
    }

    /// Writes the 32 bytes where they are wanted, without an allocation.
    package mutating func finish(into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count >= 32, "a SHA-256 has 32 bytes")
        let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
        let status = EVP_DigestFinal_ex(context, start, nil)
        precondition(status == 1, "a started digest finishes")
    }

    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }
}

/// Lower-case hexadecimal.
package func hexText(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
