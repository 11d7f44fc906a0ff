import EventLog
import Testing

@Suite struct TimestampTextTests {
    @Test(arguments: [
        ("2026-11-20T09:00:00Z", 1_795_165_200_000_000), ("2026-11-20t09:00:00z", 1_795_165_200_000_000),
        ("2026-11-20T09:00:00+09:00", 1_795_132_800_000_000), ("2026-11-20T09:00:00-03:30", 1_795_177_800_000_000),
        ("2026-11-20T09:00:00.5Z", 1_795_165_200_500_000), ("2026-11-20T09:00:00.000001Z", 1_795_165_200_000_001),
        ("1969-12-31T23:59:59.999999Z", -1), ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ])
    func aTimeIsReadWithItsOffsetAndFraction(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "2026-11-20", "T09:00:00Z", "2026-11-20T09:00:00", "2026-11-20T09:00Z", "2026-11-20T24:00:00Z",
        "2026-11-20T09:60:00Z", "2026-11-20T23:59:60Z", "2026-02-29T09:00:00Z", "2026-11-20T9:00:00Z",
        "2026-11-20T09:00:00.Z", "2026-11-20T09:00:00.1234567Z", "2026-11-20T09:00:00+9:00", "2026-11-20T09:00:00+0900",
        "2026-11-20T09:00:00+24:00", "2026-11-20T+9:00:00Z", "2026-11-20TT09:00:00Z", "+026-11-20T09:00:00Z",
    ])
    func whatIsNoTimeIsNotRead(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
        (1_762_614_000_000_042, "2025-11-08T15:00:00.000042Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
    ])
    func aTimeIsWrittenInUTC(_ microseconds: Int64, _ text: String) {
        let time = Timestamp(microseconds: microseconds)
        #expect(time.rfc3339 == text)
        #expect(time.rfc3339Seconds == String(text.prefix(19)) + "Z")
        #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }

    @Test(arguments: [Int64.min, .max]) func noTimeTraps(_ microseconds: Int64) {
        let time = Timestamp(microseconds: microseconds)
        #expect(!time.isCalendarTime && time.rfc3339.hasSuffix("Z"))
    }
}
