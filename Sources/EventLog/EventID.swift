/// The identity of one event: a UUID in 16 bytes. Version 7 for what happens once, version 5 (of a natural key) for
/// what must be recognised when it is repeated.
package struct EventID: Hashable, Sendable {
    /// Bytes 0–7 of the UUID, most significant first.
    package let high: UInt64
    /// Bytes 8–15.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Stands for "none" in fixed-width encodings.
    package static let none = EventID(high: 0, low: 0)

    /// A time-ordered id (RFC 9562, version 7): 48 bits of milliseconds, then 74 random bits.
    package static func v7(at time: Timestamp, using random: inout some RandomNumberGenerator) -> EventID {
        let milliseconds = UInt64(bitPattern: time.microseconds / 1_000) & 0xFFFF_FFFF_FFFF
        let high = milliseconds << 16 | 0x7000 | random.next() & 0x0FFF
        let low = 0x8000_0000_0000_0000 | random.next() & 0x3FFF_FFFF_FFFF_FFFF
        return EventID(high: high, low: low)
    }

    /// The same with the system's random numbers.
    package static func v7(at time: Timestamp) -> EventID {
        var random = SystemRandomNumberGenerator()
        return v7(at: time, using: &random)
    }
}

extension EventID: CustomStringConvertible {
    package var description: String {
        // Written for every call through a gateway, so byte by byte.
        String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4) & 0xF)
                text[place] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
                place += 1
            }
            return place
        }
    }

    /// Reads the canonical text form, in either case; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = parts.joined()
        guard digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let high = UInt64(digits.prefix(16), radix: 16), let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
