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
        let high = milliseconds << 16 | 0x7000 | UInt64.random(in: 0...0x0FFF, using: &random)
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF, using: &random)
        return EventID(high: high, low: low)
    }
}

extension EventID: CustomStringConvertible {
    package var description: String {
        let hex = high.paddedHex + low.paddedHex
        var text = ""
        text.reserveCapacity(36)
        for (index, digit) in hex.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
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

extension UInt64 {
    fileprivate var paddedHex: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
