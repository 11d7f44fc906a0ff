import Digest
import Testing

@Suite struct DigestVectorTests {
    @Test func sha256GivesThePublishedDigests() {
        #expect(
            hexText(SHA256.hash(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hexText(SHA256.hash([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func sha256OverPiecesIsSha256OverTheWhole() {
        var hash = SHA256()
        for piece in ["abcdbcdecdefdefg", "efghfghighijhijkijkljklmklmnlmnomnopnopq", ""] {
            hash.update(Array(piece.utf8))
        }
        #expect(hexText(hash.finish()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        hash.reset()
        hash.update(Array("abc".utf8))
        #expect(hexText(hash.finish()).hasPrefix("ba7816bf"))
    }

    /// RFC 4231, cases 1, 2 and 6.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacGivesThePublishedCodes(key: [UInt8], message: String, code: String) {
        #expect(hexText(key.withUnsafeBufferPointer { hmacSHA256(key: $0, message: Array(message.utf8)) }) == code)
    }

    /// RFC 9562, A.4.
    @Test func aNameBasedUUIDIsThePublishedOne() {
        let id = nameBasedUUID(namespace: (0x6BA7_B810_9DAD_11D1, 0x80B4_00C0_4FD4_30C8), name: "www.example.com")
        #expect(id.high == 0x2ED6_657D_E927_568B)
        #expect(id.low == 0x95E1_2665_A8AE_A6A2)
    }
}
