/// The numbers of series, by the very bytes that named them before: for a row like an earlier one no text is made. Rows mostly
/// come in the order in which they came an hour before: what followed then is tried first, and nothing is hashed either.
struct SeriesCache: Sendable {
    private struct Known: Sendable {
        let series: Int
        /// Where its names lie among `names`.
        let start: Int
        let count: Int
        /// The place of what came after it the last time; its own until something did.
        var follower: Int
    }

    private var known: [Known] = []
    /// Those of all that are known, one after another.
    private var names: [UInt8] = []
    /// By a hash of the names.
    private var places: [Int: Int] = [:]
    /// What was asked for last.
    private var recent = 0
    private static let limit = 65_536

    /// - Parameter orElse: asked for the series of names that were not met before.
    mutating func number(
        of names: (Range<Int>, Range<Int>), _ payload: [UInt8], orElse: () throws -> Int
    ) rethrows -> Int {
        try payload.withUnsafeBytes { bytes in
            let first = UnsafeRawBufferPointer(rebasing: bytes[names.0])
            let second = UnsafeRawBufferPointer(rebasing: bytes[names.1])
            if recent < known.count, isNamed(known[recent].follower, first, second) {
                recent = known[recent].follower
                return known[recent].series
            }
            let place = try place(of: first, second, orElse)
            if recent < known.count { known[recent].follower = place }
            recent = place
            return known[place].series
        }
    }

    private mutating func place(
        of first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ orElse: () throws -> Int
    ) rethrows -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: first)
        hasher.combine(bytes: second)
        let hash = hasher.finalize()
        if let place = places[hash], isNamed(place, first, second) { return place }
        let series = try orElse()
        if known.count >= Self.limit { self = SeriesCache() }
        let place = known.count
        known.append(
            Known(series: series, start: names.count, count: first.count + second.count, follower: place))
        names += first
        names += second
        places[hash] = place
        return place
    }

    private func isNamed(_ place: Int, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
        let candidate = known[place]
        guard candidate.count == first.count + second.count else { return false }
        return names.withUnsafeBytes { names in
            let middle = candidate.start + first.count
            return UnsafeRawBufferPointer(rebasing: names[candidate.start..<middle]).isEqual(to: first)
                && UnsafeRawBufferPointer(rebasing: names[middle..<candidate.start + candidate.count]).isEqual(
                    to: second)
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
