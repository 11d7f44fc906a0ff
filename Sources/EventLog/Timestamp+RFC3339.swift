extension Timestamp {
    /// Whether it lies in the years 1 to 9999, which is what RFC 3339 can write.
    package var isCalendarTime: Bool { (-62_135_596_800..<253_402_300_800).contains(seconds) }

    /// In UTC to the microsecond: `2026-11-20T00:00:00.123456Z`.
    package var rfc3339: String {
        let fraction = microseconds % 1_000_000
        return "\(wholeSeconds).\(CivilDate.padded(Int(fraction < 0 ? fraction + 1_000_000 : fraction), 6))Z"
    }

    /// In UTC to the second, rounded down: `2026-11-20T00:00:00Z`.
    package var rfc3339Seconds: String { wholeSeconds + "Z" }

    private var wholeSeconds: String {
        let (quotient, remainder) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let (day, rest) = remainder < 0 ? (quotient - 1, remainder + 86_400) : (quotient, remainder)
        let time = [rest / 3_600, rest / 60 % 60, rest % 60].map { CivilDate.padded(Int($0), 2) }
        return "\(CivilDate.text(of: Int(day)))T\(time.joined(separator: ":"))"
    }

    /// Reads `2026-11-20T09:00:00Z`, with a fraction of up to six digits and any offset; nil for anything else.
    package init?(rfc3339 text: some StringProtocol) {
        let halves = text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "T" || $0 == "t" })
        guard halves.count == 2, let day = CivilDate.number(halves[0]),
            let (clock, offset) = Self.splitOffset(Substring(halves[1]))
        else { return nil }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        let seconds = parts.last?.split(separator: ".", omittingEmptySubsequences: false) ?? []
        guard parts.count == 3, (1...2).contains(seconds.count), let hour = Self.number(parts[0], below: 24),
            let minute = Self.number(parts[1], below: 60), let second = Self.number(seconds[0], below: 60)
        else { return nil }
        let fraction = seconds.count == 2 ? seconds[1] : "0"
        guard (1...6).contains(fraction.utf8.count), fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let micro = Int64(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
        else { return nil }
        let start = Int64(day) * 86_400 + Int64(hour * 3_600 + minute * 60 + second - offset)
        self.init(microseconds: start * 1_000_000 + micro)
    }

    /// What stands before the offset, and the offset in seconds.
    private static func splitOffset(_ text: Substring) -> (Substring, Int)? {
        if text.hasSuffix("Z") || text.hasSuffix("z") { return (text.dropLast(), 0) }
        guard text.utf8.count > 6 else { return nil }
        let offset = text.suffix(6)
        let parts = offset.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard offset.hasPrefix("+") || offset.hasPrefix("-"), parts.count == 2,
            let hours = number(parts[0], below: 24), let minutes = number(parts[1], below: 60)
        else { return nil }
        return (text.dropLast(6), (hours * 3_600 + minutes * 60) * (offset.hasPrefix("-") ? -1 : 1))
    }

    /// Two digits.
    private static func number(_ text: Substring, below limit: Int) -> Int? {
        guard text.utf8.count == 2, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text)
        else { return nil }
        return number < limit ? number : nil
    }
}
