import EventLog
import FinOps
import JSON

/// Where in an answer something stands, for errors that name it.
struct AnswerPlace: Sendable {
    let path: String
    var bucketStart: Int64?
    var list: String?
    var row: Int?

    var text: String {
        var words = path
        if let bucketStart { words += ", bucket \(UTCText.minute(bucketStart))" }
        if let list { words += ", \(list)" }
        if let row { words += ", row \(row + 1)" }
        return words
    }
}

/// Reads the members of one object of an answer. A wrong type is an error that names field, bucket and row; what is
/// not asked for (names, addresses) is never looked at.
struct AnswerReader {
    let value: JSONValue
    let place: AnswerPlace

    /// Longer texts are no identifiers.
    static let textBytes = 1_000

    /// A count, 0 or more; also written `30.0`.
    func count(_ name: String, required: Bool = false) throws(SourceFailure) -> Int64 {
        guard let member = value[name], !member.isNull else {
            if required { throw malformed(name, "is missing") }
            return 0
        }
        guard let count = member.integer else { throw malformed(name, "is no whole number") }
        guard count >= 0 else { throw malformed(name, "is negative") }
        guard count < WireQuantities.countLimit else { throw malformed(name, "is 2^50 or more") }
        return count
    }

    /// A text; nil for null and for a missing member.
    func text(_ name: String) throws(SourceFailure) -> String? {
        guard let member = value[name], !member.isNull else { return nil }
        guard let text = member.string else { throw malformed(name, "is no text") }
        guard text.utf8.count <= Self.textBytes else { throw malformed(name, "is longer than \(Self.textBytes) bytes") }
        return text
    }

    /// A value that rows are grouped by; an empty one names nothing, as null does.
    func groupingValue(_ name: String) throws(SourceFailure) -> String? {
        let text = try text(name)
        return text == "" ? nil : text
    }

    func flag(_ name: String) throws(SourceFailure) -> Bool? {
        guard let member = value[name], !member.isNull else { return nil }
        guard let flag = member.bool else { throw malformed(name, "is neither true nor false") }
        return flag
    }

    /// The elements of a list; a missing or null one has none.
    func list(_ name: String) throws(SourceFailure) -> [JSONValue] {
        guard let member = value[name], !member.isNull else { return [] }
        guard let values = member.array else { throw malformed(name, "is no list") }
        return values
    }

    func malformed(_ field: String, _ reason: String) -> SourceFailure {
        SourceFailure(.malformedAnswer, "\(place.text): \(field) \(reason)")
    }
}

/// Instants for people.
enum UTCText {
    /// `2026-11-20 05:00Z`
    static func minute(_ seconds: Int64) -> String {
        // An instant from outside may be any number; a `Timestamp` holds the nearest it can.
        let instant = Timestamp(seconds: seconds)
        let day = Day(utc: instant)
        let minutes = (instant.seconds - day.utcStart.seconds) / 60
        func padded(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(day) \(padded(minutes / 60)):\(padded(minutes % 60))Z"
    }
}
