/// Reads `Retry-After`: whole seconds, or the date at which to come back.
package enum RetryAfter {
    /// Longer wishes, in seconds, mean no more than "not today": 10⁷ s are 115 days.
    package static let longest: Double = 10_000_000

    /// - Parameter now: Unix seconds by the client's clock; only used if the answer does not say its own time in `Date`.
    /// - Returns: seconds to wait, from 0 to `longest`; nil if the header is missing or says nothing we understand.
    package static func seconds(in response: HTTPResponse, now: Int64) -> Double? {
        guard let text = response.header("retry-after") else { return nil }
        if let seconds = Double(text), !seconds.isNaN { return min(max(0, seconds), longest) }
        guard let moment = HTTPDate.unixSeconds(text) else { return nil }
        let present = response.header("date").flatMap(HTTPDate.unixSeconds) ?? now
        return min(max(0, Double(moment - present)), longest)
    }
}

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Unix seconds; nil for anything else, the two obsolete forms of RFC 9110 included.
    package static func unixSeconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int64(words[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(words[2])), let year = Int64(words[3]),
            (1970...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":").map { Int64($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return days(year: year, month: Int64(month) + 1, day: day) * 86_400 + hour * 3_600 + minute * 60 + second
    }

    /// Days since 1970-01-01, after Howard Hinnant's "chrono-compatible low-level date algorithms".
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
