import FinOps
import Foundation
import Testing

@Suite struct VirtualKeyTests {
    @Test func aKeyIsItsBitsInBase64URL() {
        for seed in UInt8(0)..<32 {
            let bits = (UInt8(0)..<32).map { $0 &* 37 &+ seed &* 11 }
            let expected = Data(bits).base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
            let key = VirtualKey.text(of: bits)
            #expect(String(decoding: key, as: UTF8.self) == "fo-" + expected)
            #expect(key.count == VirtualKey.bytes && VirtualKey.isWellFormed(key))
            #expect(VirtualKey.prefix(of: key) == "fo-" + expected.prefix(4))
        }
    }

    @Test func whatCannotBeAKeyIsNoKey() {
        let key = String(decoding: VirtualKey.text(of: [UInt8](repeating: 7, count: 32)), as: UTF8.self)
        let others = [
            "", "fo-", String(key.dropLast()), key + "A", key.uppercased(), "sk-" + key.dropFirst(3),
            String(key.dropLast()) + "é", String(key.dropLast()) + " ", String(key.dropLast()) + "\n",
            "fo-" + String(repeating: "ｋ", count: 43),
        ]
        for text in others { #expect(!VirtualKey.isWellFormed(Array(text.utf8)), "\(text.debugDescription)") }
    }

    @Test func aHashDependsOnEveryByteOfKeyAndSecret() {
        func hash(_ key: [UInt8], _ secret: [UInt8]) -> KeyHash {
            secret.withUnsafeBufferPointer { KeyHash(of: key, under: $0) }
        }
        let (key, secret) = (VirtualKey.text(of: [UInt8](repeating: 7, count: 32)), [UInt8](repeating: 9, count: 32))
        let known = hash(key, secret)
        #expect(known == hash(key, secret))
        #expect(KeyHash(known.bytes) == known && known.bytes.count == KeyHash.byteCount)
        for place in key.indices {
            var other = key
            other[place] ^= 1
            #expect(hash(other, secret) != known)
        }
        for place in secret.indices {
            var other = secret
            other[place] ^= 1
            #expect(hash(key, other) != known)
        }
        #expect(KeyHash([UInt8](repeating: 1, count: 31)) == nil && KeyHash([UInt8](repeating: 1, count: 33)) == nil)
    }

    /// Else the time of a search would tell how much of a guess was right.
    @Test func aGuessThatIsNearlyRightHasAHashThatIsNoNearer() {
        let secret = [UInt8](repeating: 9, count: 32)
        func hash(_ key: [UInt8]) -> [UInt8] { secret.withUnsafeBufferPointer { KeyHash(of: key, under: $0) }.bytes }
        let key = VirtualKey.text(of: [UInt8](repeating: 7, count: 32))
        let right = hash(key)
        for place in 3..<key.count {
            for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where letter != key[place] {
                var guess = key
                guess[place] = letter
                let near = zip(hash(guess), right).prefix { $0 == $1 }.count
                #expect(near < 3, "\(near) bytes are the same after place \(place)")
            }
        }
    }

    @Test func hashesAreTheSameOnlyIfEveryByteIs() throws {
        let bytes = (UInt8(0)..<32).map { $0 &* 37 }
        let hash = try #require(KeyHash(bytes))
        for place in bytes.indices {
            var other = bytes
            other[place] ^= 0x80
            #expect(try #require(KeyHash(other)) != hash)
        }
        #expect(KeyHash(bytes) == hash)
    }

    /// RFC 4231, test case 2.
    @Test func theHashIsHMACOfSHA256() {
        let hash = Array("Jefe".utf8).withUnsafeBufferPointer {
            KeyHash(of: Array("what do ya want for nothing?".utf8), under: $0)
        }
        let text = hash.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(text == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }
}
