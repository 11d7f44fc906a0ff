import EventLog
import FinOps

extension Timestamp {
    /// Whether it lies in the years 1 to 9999, which is what RFC 3339 can write.
    var isCalendarTime: Bool { (-62_135_596_800..<253_402_300_800).contains(seconds) }

    /// Reads `2026-11-20T09:00:00Z`, with a fraction of up to six digits and any offset; nil for anything else.
    init?(rfc3339 text: String) {
        let halves = text.split(whereSeparator: { $0 == "T" || $0 == "t" })
        guard halves.count == 2, let day = Day(halves[0]), let (clock, offset) = Self.splitOffset(halves[1]) else {
            return nil
        }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        let seconds = parts.last?.split(separator: ".", omittingEmptySubsequences: false) ?? []
        guard parts.count == 3, (1...2).contains(seconds.count), let hour = Self.number(parts[0], ..<24),
            let minute = Self.number(parts[1], ..<60), let second = Self.number(seconds[0], ..<60)
        else { return nil }
        let fraction = seconds.count == 2 ? seconds[1] : "0"
        guard (1...6).contains(fraction.utf8.count), fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let micro = Int64(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
        else { return nil }
        let start = day.utcStart.seconds + Int64(hour * 3_600 + minute * 60 + second) - Int64(offset)
        self.init(microseconds: start * 1_000_000 + micro)
    }

    /// What stands before the offset, and the offset in seconds.
    private static func splitOffset(_ text: Substring) -> (Substring, Int)? {
        if text.hasSuffix("Z") || text.hasSuffix("z") { return (text.dropLast(), 0) }
        guard text.utf8.count > 6 else { return nil }
        let offset = text.suffix(6)
        let parts = offset.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard offset.hasPrefix("+") || offset.hasPrefix("-"), parts.count == 2, let hours = number(parts[0], ..<24),
            let minutes = number(parts[1], ..<60)
        else { return nil }
        return (text.dropLast(6), (hours * 3_600 + minutes * 60) * (offset.hasPrefix("-") ? -1 : 1))
    }

    /// Two digits within a range.
    private static func number(_ text: Substring, _ range: PartialRangeUpTo<Int>) -> Int? {
        guard text.utf8.count == 2, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
            range.contains(number)
        else { return nil }
        return number
    }
}
