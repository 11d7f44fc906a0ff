import Glibc

/// Finds a series by the very bytes that named it before: for a row like an earlier one no text is made. Bytes it does
/// not know say nothing; then the message is decoded.
struct IdentityCache {
    private struct Entry {
        let series: Int64
        let head: [UInt8]
        let tail: [UInt8]
    }

    private var entries: [UInt64: Entry] = [:]
    /// Above this it starts anew: a bound on memory, not on the number of series.
    private static let limit = 65_536

    func series(of fact: UsageFact) -> Int64? {
        guard let entry = entries[fact.identityHash] else { return nil }
        let same = fact.payload.withUnsafeBytes { bytes in
            equal(bytes, fact.identityHead, entry.head) && equal(bytes, fact.identityTail, entry.tail)
        }
        return same ? entry.series : nil
    }

    mutating func remember(_ fact: UsageFact, series: Int64) {
        if entries.count >= Self.limit { entries.removeAll(keepingCapacity: true) }
        entries[fact.identityHash] = Entry(
            series: series, head: Array(fact.payload[fact.identityHead]), tail: Array(fact.payload[fact.identityTail]))
    }
}

private func equal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ known: [UInt8]) -> Bool {
    guard range.count == known.count else { return false }
    return range.isEmpty
        || known.withUnsafeBytes { memcmp($0.baseAddress!, bytes.baseAddress! + range.lowerBound, range.count) == 0 }
}

/// Finds a label's number by its bytes; rows of one batch name few of them.
struct LabelCache {
    private var last: (bytes: [UInt8], label: Int64) = ([], 0)

    mutating func label(
        _ payload: [UInt8], _ range: Range<Int>, orElse make: (String) throws(ProjectionFailure) -> Int64
    ) throws -> Int64 {
        if range.isEmpty { return 0 }
        if payload.withUnsafeBytes({ equal($0, range, last.bytes) }) { return last.label }
        guard let text = String(validating: payload[range], as: UTF8.self) else {
            throw Inapplicable("a text is not UTF-8")
        }
        let label = try make(text)
        last = (Array(payload[range]), label)
        return label
    }
}
