import ArgumentParser

/// A calendar day, as a count of days since 1970-01-01. The sandbox has its own, so that it shares no arithmetic with
/// what it helps to test.
struct CivilDay: Hashable, Comparable, Sendable, CustomStringConvertible {
    let number: Int64

    init(number: Int64) { self.number = number }

    /// Reads `YYYY-MM-DD`; nil for anything else.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-").compactMap { Int64($0) }
        guard text.utf8.count == 10, parts.count == 3, (1...12).contains(parts[1]), (1...31).contains(parts[2]) else {
            return nil
        }
        // Counts from March of year 0, so that the leap day is a year's last.
        let year = parts[1] > 2 ? parts[0] : parts[0] - 1
        let month = (parts[1] + 9) % 12
        let leaps = year / 4 - year / 100 + year / 400
        number = 365 * year + leaps + (153 * month + 2) / 5 + parts[2] - 1 - 719_468
        guard description == String(text) else { return nil }
    }

    var utcStart: Int64 { number * 86_400 }

    var description: String {
        var year = (number + 719_468) * 400 / 146_097
        func firstOfMarch(_ year: Int64) -> Int64 { 365 * year + year / 4 - year / 100 + year / 400 - 719_468 }
        while firstOfMarch(year) > number { year -= 1 }
        while firstOfMarch(year + 1) <= number { year += 1 }
        let dayOfYear = number - firstOfMarch(year)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(month < 10 ? year : year + 1, 4))-\(padded(civilMonth, 2))-\(padded(day, 2))"
    }

    static func < (left: CivilDay, right: CivilDay) -> Bool { left.number < right.number }
}

extension CivilDay: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}
