import Digest

/// The form of the gateway's own keys: `fo-` and 43 characters of base64url, which are 256 random bits.
package enum VirtualKey {
    /// Under which the vault keeps what `KeyHash` is made with: 32 random bytes, made with the first key.
    package static let hashSecretID = "gateway-key-hash"
    private static let mark = Array("fo-".utf8)
    /// That a key is made of.
    package static let randomBytes = 32
    /// Of the whole key.
    package static let bytes = 46
    /// Shown of it to people.
    package static let prefixBytes = 7

    /// The key of these bits.
    /// - Precondition: there are `randomBytes` of them.
    package static func text(of bits: some Collection<UInt8>) -> [UInt8] {
        precondition(bits.count == randomBytes, "a key has 256 bits")
        var text = mark
        var (pending, count): (UInt32, UInt32) = (0, 0)
        for byte in bits {
            pending = pending << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(pending >> count & 63)])
            }
        }
        text.append(alphabet[Int(pending << (6 - count) & 63)])
        return text
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Whether a presented text can be a key at all: what cannot need not be hashed.
    package static func isWellFormed(_ key: [UInt8]) -> Bool {
        guard key.count == bytes else { return false }
        for place in 0..<mark.count where key[place] != mark[place] { return false }
        for place in mark.count..<bytes {
            switch key[place] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                continue
            default: return false
            }
        }
        return true
    }

    /// What may be shown of a key.
    package static func prefix(of key: some Collection<UInt8>) -> String {
        String(decoding: key.prefix(prefixBytes), as: UTF8.self)
    }
}

/// A key's HMAC under the vault's secret: what is stored of it, and what it is found by.
///
/// A search takes the same time for every guess: who does not know that secret cannot choose a hash, so a key that is nearly
/// right has one that is no nearer, and how far a dictionary or a comparison looks tells nothing about the key (decision 14).
package struct KeyHash: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32

    /// - Returns: nil unless there are 32 bytes.
    package init?(_ bytes: some Sequence<UInt8>) {
        var words: [UInt64] = [0, 0, 0, 0]
        var count = 0
        for byte in bytes {
            guard count < Self.byteCount else { return nil }
            words[count / 8] = words[count / 8] << 8 | UInt64(byte)
            count += 1
        }
        guard count == Self.byteCount else { return nil }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// - Parameter secret: the vault's `gateway-key-hash`.
    package init(of key: [UInt8], under secret: UnsafeBufferPointer<UInt8>) {
        let bytes = hmacSHA256(key: secret, message: key)
        func word(_ place: Int) -> UInt64 { bytes[place * 8..<place * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    package var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
        }
    }

    /// Takes the same time wherever the two differ.
    package static func == (left: KeyHash, right: KeyHash) -> Bool {
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2)
            | (left.words.3 ^ right.words.3) == 0
    }

    package func hash(into hasher: inout Hasher) {
        // It is as good as random already.
        hasher.combine(words.0)
    }
}
