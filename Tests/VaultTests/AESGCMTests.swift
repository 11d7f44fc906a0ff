import Digest
import Secret
import Testing
import Vault

/// The AES-256 cases of McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST SP 800-38D names.
@Suite struct AESGCMTests {
    struct Vector: Sendable {
        var key: String
        var nonce: String
        var plain: String
        var associated: String
        var ciphertext: String
        var tag: String
    }

    static let zeroKey = String(repeating: "00", count: 32)
    static let zeroNonce = String(repeating: "00", count: 12)
    static let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    static let plain =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    static let ciphertext =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"

    static let vectors = [
        Vector(
            key: zeroKey, nonce: zeroNonce, plain: "", associated: "", ciphertext: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"),
        Vector(
            key: zeroKey, nonce: zeroNonce, plain: String(repeating: "00", count: 16), associated: "",
            ciphertext: "cea7403d4d606b6e074ec5d3baf39d18", tag: "d0d1c8a799996bf0265b98b5d48ab919"),
        Vector(
            key: key, nonce: "cafebabefacedbaddecaf888", plain: plain + "1aafd255", associated: "",
            ciphertext: ciphertext + "898015ad", tag: "b094dac5d93471bdec1a502270e3cc6c"),
        Vector(
            key: key, nonce: "cafebabefacedbaddecaf888", plain: plain,
            associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2", ciphertext: ciphertext,
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"),
    ]

    @Test(arguments: vectors) func sealingGivesThePublishedCiphertextAndTag(vector: Vector) {
        let sealed = AESGCM.seal(
            Secret(bytes(vector.plain)), key: Secret(bytes(vector.key)), nonce: bytes(vector.nonce),
            associated: bytes(vector.associated))
        #expect(hexText(sealed.ciphertext) == vector.ciphertext)
        #expect(hexText(sealed.tag) == vector.tag)
        let opened = AESGCM.open(sealed, key: Secret(bytes(vector.key)), associated: bytes(vector.associated))
        #expect(opened == Secret(bytes(vector.plain)))
    }

    @Test func anyChangedBitKeepsItShut() {
        let key = Secret([UInt8](repeating: 7, count: 32))
        let sealed = AESGCM.seal(
            Secret(Array("attack at dawn".utf8)), key: key, nonce: [UInt8](repeating: 1, count: 12), associated: [1, 2])
        let whole = sealed.nonce + sealed.ciphertext + sealed.tag
        for bit in 0..<whole.count * 8 {
            var changed = whole
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let candidate = AESGCM.Sealed(
                nonce: Array(changed[..<12]), ciphertext: Array(changed[12..<changed.count - 16]),
                tag: Array(changed.suffix(16)))
            #expect(AESGCM.open(candidate, key: key, associated: [1, 2]) == nil)
        }
        #expect(AESGCM.open(sealed, key: key, associated: [1, 3]) == nil)
        #expect(AESGCM.open(sealed, key: Secret([UInt8](repeating: 8, count: 32)), associated: [1, 2]) == nil)
    }
}

func bytes(_ hex: String) -> [UInt8] {
    var rest = hex[...]
    var bytes: [UInt8] = []
    while let byte = UInt8(rest.prefix(2), radix: 16) {
        bytes.append(byte)
        rest = rest.dropFirst(2)
    }
    return bytes
}
