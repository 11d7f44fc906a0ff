/// The numbers of series, by the very bytes that named them before: for a row like an earlier one no text is made.
struct SeriesCache: Sendable {
    private struct Known: Sendable {
        let series: Int
        let names: [UInt8]
    }

    /// By a hash of the names.
    private var known: [Int: Known] = [:]
    private static let limit = 65_536

    /// - Parameter orElse: asked for the series of names that were not met before.
    mutating func number(
        of names: (Range<Int>, Range<Int>), _ payload: [UInt8], orElse: () throws -> Int
    ) rethrows -> Int {
        let hash = payload.withUnsafeBytes { bytes in
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[names.0]))
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[names.1]))
            return hasher.finalize()
        }
        if let known = known[hash], known.names.elementsEqual(names, in: payload) { return known.series }
        let series = try orElse()
        if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
        known[hash] = Known(series: series, names: Array(payload[names.0]) + payload[names.1])
        return series
    }
}

extension [UInt8] {
    fileprivate func elementsEqual(_ names: (Range<Int>, Range<Int>), in payload: [UInt8]) -> Bool {
        guard count == names.0.count + names.1.count else { return false }
        return withUnsafeBytes { known in
            payload.withUnsafeBytes { bytes in
                UnsafeRawBufferPointer(rebasing: known.prefix(names.0.count))
                    .isEqual(to: UnsafeRawBufferPointer(rebasing: bytes[names.0]))
                    && UnsafeRawBufferPointer(rebasing: known.dropFirst(names.0.count))
                        .isEqual(to: UnsafeRawBufferPointer(rebasing: bytes[names.1]))
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Word by word, since names are compared for every event.
    /// - Precondition: both are of the same length.
    fileprivate func isEqual(to other: Self) -> Bool {
        var place = 0
        while place + 8 <= count {
            guard
                loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    == other.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            else { return false }
            place += 8
        }
        while place < count {
            guard self[place] == other[place] else { return false }
            place += 1
        }
        return true
    }
}
